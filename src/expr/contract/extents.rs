//! How large the blocks of a contraction are, and the pieces of what is summed over.
//!
//! A block of `m` rows and `n` columns takes `(m + n) · k` elements of the factors for `m · n · k`
//! products, so blocks are nearly square and as large as memory lets them be. Where whole rows and
//! columns would leave room for thin blocks only, they are taken in pieces: then most of the memory is
//! the block's, and each element of the factors is read a few times only.

/// Pieces of what is summed over are at least this part of the edge of a block: longer ones take room
/// from the block, shorter ones are short runs of a file.
const PIECE_SHARE: usize = 8;
/// And at least so long.
const LEAST_PIECE: usize = 32;

/// The product of matrices of a whole contraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    pub rows: usize,
    pub cols: usize,
    pub summed: usize,
}

/// What a block may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Elements of the block and of the parts of its factors.
    pub elements: usize,
    /// Elements of the block.
    pub area: usize,
}

/// A block's rows and columns, and the elements of a piece of what is summed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    pub rows: usize,
    pub cols: usize,
    pub piece: usize,
}

impl Cut {
    /// Elements of a block and of the parts of its factors, where an element of the block takes as
    /// much as `weight` others.
    pub fn held(&self, weight: usize) -> usize {
        let parts = self.rows.saturating_add(self.cols).saturating_mul(self.piece);
        parts.saturating_add(self.rows.saturating_mul(self.cols).saturating_mul(weight))
    }

    /// Products per element of the factors that is read.
    pub fn reuse(&self) -> f64 {
        let (m, n) = (self.rows as f64, self.cols as f64);
        m * n / (m + n).max(1.0)
    }
}

impl Product {
    /// A nearly square block that has room, its edge grown by one part in `steps` at a time, with pieces
    /// as long as `piece` says for its edge.
    fn grown(&self, room: Room, steps: usize, weight: usize, piece: impl Fn(usize) -> usize) -> Cut {
        let cut = |edge: usize| Cut {
            rows: self.rows.min(edge),
            cols: self.cols.min(edge),
            piece: piece(edge),
        };
        let mut edge = 1;
        while edge < self.rows.max(self.cols) {
            let longer = edge + edge.div_ceil(steps);
            let next = cut(longer);
            if next.held(weight) > room.elements || next.rows.saturating_mul(next.cols) > room.area {
                break;
            }
            edge = longer;
        }
        cut(edge)
    }

    /// Blocks of whole rows and columns.
    pub fn whole(&self, room: Room) -> Cut {
        self.grown(room, 8, 1, |_| self.summed)
    }

    /// Blocks whose rows and columns come in pieces, as long as there is room for them; those longer
    /// than `run` are whole multiples of it.
    pub fn pieces(&self, room: Room, weight: usize, run: usize) -> Cut {
        let least = |edge: usize| (edge / PIECE_SHARE).clamp(LEAST_PIECE, LEAST_PIECE.max(run));
        let mut cut = self.grown(room, 32, weight, |edge| least(edge).min(self.summed.max(1)));
        let block = cut.rows.saturating_mul(cut.cols).saturating_mul(weight);
        let fits = room.elements.saturating_sub(block) / (cut.rows + cut.cols).max(1);
        cut.piece = match fits {
            _ if fits >= self.summed => self.summed,
            _ if fits >= run => fits / run * run,
            _ => fits.max(1),
        };
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_leave_the_memory_to_the_block() {
        let product = Product {
            rows: 100_000,
            cols: 100_000,
            summed: 1_000_000,
        };
        for elements in [1usize << 14, 1 << 17, 1 << 20, 1 << 24] {
            let room = Room {
                elements,
                area: usize::MAX,
            };
            let cut = product.pieces(room, 1, 256);
            assert!(cut.held(1) <= elements, "{cut:?}");
            let ideal = (elements as f64).sqrt() / 2.0;
            assert!(cut.reuse() > 0.7 * ideal, "{cut:?} of {elements}");
            assert!(product.whole(room).rows <= 8);
        }
    }

    #[test]
    fn narrow_results_take_long_pieces() {
        let product = Product {
            rows: 3,
            cols: 5,
            summed: 1 << 30,
        };
        let room = Room {
            elements: 1 << 20,
            area: 1 << 20,
        };
        let cut = product.pieces(room, 2, 512);
        assert_eq!((cut.rows, cut.cols), (3, 5));
        assert!(cut.piece > 100_000 && cut.piece.is_multiple_of(512) && cut.held(2) <= 1 << 20);
        let short = Product {
            summed: 700,
            ..product
        };
        assert_eq!(short.pieces(room, 1, 512).piece, 700);
    }

    #[test]
    fn no_room_gives_the_smallest_blocks() {
        let product = Product {
            rows: 9,
            cols: 9,
            summed: 1000,
        };
        let room = Room { elements: 0, area: 1 };
        let cut = product.pieces(room, 1, 256);
        assert_eq!((cut.rows, cut.cols, cut.piece), (1, 1, 1));
    }
}
