//! The tilewise library.
