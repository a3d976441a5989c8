//! Plans: from a lazy graph to fused stages, their order, and the proof of their memory.

pub mod program;
