//! Cells in planes: a plane holds one number of every cell, so that loops over cells vectorise.

use super::state::{Means, Moments, Sums, Tagged};

/// Planes of cells.
pub(super) trait Planes {
    /// One cell.
    type Cell: Copy;
    /// Some neighbouring cells.
    type View<'a>: View<Cell = Self::Cell>
    where
        Self: 'a;
    /// Room for a few cells apart from the planes.
    type Room: Room<Cell = Self::Cell>;
    /// The cells `at .. at + len`.
    fn view(&mut self, at: usize, len: usize) -> Self::View<'_>;
    /// A cell.
    fn read(&self, at: usize) -> Self::Cell;
}

/// Some neighbouring cells.
pub(super) trait View {
    /// One cell.
    type Cell: Copy;
    /// A cell.
    fn get(&self, at: usize) -> Self::Cell;
    /// Replaces it.
    fn set(&mut self, at: usize, cell: Self::Cell);
    /// The first `len`, and as many that follow.
    fn halves(self, len: usize) -> (Self, Self)
    where
        Self: Sized;
}

/// Room for [`ROOM`] cells.
pub(super) trait Room {
    /// One cell.
    type Cell: Copy;
    /// Some neighbouring cells.
    type View<'a>: View<Cell = Self::Cell>
    where
        Self: 'a;
    /// Room that holds nothing of use.
    fn new() -> Self;
    /// The cells `at .. at + len`.
    fn view(&mut self, at: usize, len: usize) -> Self::View<'_>;
}

/// Cells of a room.
pub(super) const ROOM: usize = 256 + 8;

/// No cells.
#[inline(always)]
fn empty<'a, T, const P: usize>() -> [&'a mut [T]; P] {
    std::array::from_fn(|_| &mut [] as &mut [T])
}

/// Cells of `P` numbers of one type.
impl<T: Copy, const P: usize> View for [&mut [T]; P] {
    type Cell = [T; P];

    #[inline(always)]
    fn get(&self, at: usize) -> [T; P] {
        let mut cell = [self[0][at]; P];
        for p in 1..P {
            cell[p] = self[p][at];
        }
        cell
    }

    #[inline(always)]
    fn set(&mut self, at: usize, cell: [T; P]) {
        for p in 0..P {
            self[p][at] = cell[p];
        }
    }

    #[inline(always)]
    fn halves(self, len: usize) -> (Self, Self) {
        let mut low: [&mut [T]; P] = empty();
        let mut high: [&mut [T]; P] = empty();
        for (p, plane) in self.into_iter().enumerate() {
            let (first, second) = plane.split_at_mut(len);
            low[p] = first;
            high[p] = &mut second[..len];
        }
        (low, high)
    }
}

impl<T: Copy + Default + 'static, const P: usize> Room for [[T; ROOM]; P] {
    type Cell = [T; P];
    type View<'a> = [&'a mut [T]; P];

    fn new() -> Self {
        [[T::default(); ROOM]; P]
    }

    #[inline(always)]
    fn view(&mut self, at: usize, len: usize) -> [&mut [T]; P] {
        let mut out: [&mut [T]; P] = empty();
        for (slot, plane) in out.iter_mut().zip(self) {
            *slot = &mut plane[at..at + len];
        }
        out
    }
}

/// Cells of a value and an index.
impl<K: Copy> View for (&mut [K], &mut [i64]) {
    type Cell = (K, i64);

    #[inline(always)]
    fn get(&self, at: usize) -> (K, i64) {
        (self.0[at], self.1[at])
    }

    #[inline(always)]
    fn set(&mut self, at: usize, cell: (K, i64)) {
        self.0[at] = cell.0;
        self.1[at] = cell.1;
    }

    #[inline(always)]
    fn halves(self, len: usize) -> (Self, Self) {
        let (values, more) = self.0.split_at_mut(len);
        let (indices, rest) = self.1.split_at_mut(len);
        ((values, indices), (&mut more[..len], &mut rest[..len]))
    }
}

impl<K: Copy + Default + 'static> Room for ([K; ROOM], [i64; ROOM]) {
    type Cell = (K, i64);
    type View<'a> = (&'a mut [K], &'a mut [i64]);

    fn new() -> Self {
        ([K::default(); ROOM], [0; ROOM])
    }

    #[inline(always)]
    fn view(&mut self, at: usize, len: usize) -> (&mut [K], &mut [i64]) {
        (&mut self.0[at..at + len], &mut self.1[at..at + len])
    }
}

/// Planes of a state whose cells are some numbers of one type.
macro_rules! alike {
    ($($store:ty, $t:ty, $count:literal, $s:ident => $($plane:expr),+;)*) => {$(
        impl Planes for $store {
            type Cell = [$t; $count];
            type View<'a> = [&'a mut [$t]; $count];
            type Room = [[$t; ROOM]; $count];
            #[inline(always)]
            fn view(&mut self, at: usize, len: usize) -> [&mut [$t]; $count] {
                let $s = self;
                [$(&mut $plane[at..at + len]),+]
            }
            #[inline(always)]
            fn read(&self, at: usize) -> [$t; $count] {
                let $s = self;
                [$($plane[at]),+]
            }
        }
    )*};
}
alike! {
    Vec<u64>, u64, 1, s => s;
    Vec<f64>, f64, 1, s => s;
    Vec<u8>, u8, 1, s => s;
    Sums, f64, 2, s => s.sum, s.error;
    Means, f64, 3, s => s.sums.sum, s.sums.error, s.count;
    Moments, f64, 4, s => s.count, s.mean, s.rest, s.squares;
}

impl<K: Copy + Default + 'static> Planes for Tagged<K, u8> {
    type Cell = [K; 1];
    type View<'a> = [&'a mut [K]; 1];
    type Room = [[K; ROOM]; 1];

    #[inline(always)]
    fn view(&mut self, at: usize, len: usize) -> [&mut [K]; 1] {
        [&mut self.value[at..at + len]]
    }

    #[inline(always)]
    fn read(&self, at: usize) -> [K; 1] {
        [self.value[at]]
    }
}

impl<K: Copy + Default + 'static> Planes for Tagged<K, i64> {
    type Cell = (K, i64);
    type View<'a> = (&'a mut [K], &'a mut [i64]);
    type Room = ([K; ROOM], [i64; ROOM]);

    #[inline(always)]
    fn view(&mut self, at: usize, len: usize) -> (&mut [K], &mut [i64]) {
        (&mut self.value[at..at + len], &mut self.tag[at..at + len])
    }

    #[inline(always)]
    fn read(&self, at: usize) -> (K, i64) {
        (self.value[at], self.tag[at])
    }
}
