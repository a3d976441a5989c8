//! What a reduction says about itself, once for every way its elements come.
//!
//! Elements come in batches: some rows of columns, where column `j` of every row goes to the same
//! cell. A rule keeps a [`Rule::Part`] of a batch in first-level cache, lets up to [`BLOCK`] rows
//! join it at a time, and then lets its columns join the cells of a state. Loops run over columns,
//! with everything they touch in lists whose length is not known when they are compiled: so they
//! become vector loops, where lists of known length would be taken apart into scalars. The order of
//! additions depends on the constants here only, never on the instruction set.

use super::planes::Planes;

/// Rows that join a part at a time.
pub(super) const BLOCK: usize = 8;

/// Most rows of a batch.
pub(super) const ROWS: usize = 64;

/// Most columns of a batch.
pub(super) const COLUMNS: usize = 1024;

/// What is kept of every column: a little longer than needed, so that the same columns of several
/// lists do not meet in one set of the cache.
pub(super) type Column<T> = [T; COLUMNS + 8];

/// Rows of elements for the same cells.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a, E> {
    /// The elements.
    pub values: &'a [E],
    /// First element of each row; at least one and at most [`ROWS`].
    pub starts: &'a [usize],
    /// Columns of each row but the last.
    pub columns: usize,
    /// Columns of the last row.
    pub last: usize,
    /// Index of each row's first element; rising. Empty where indices do not matter.
    pub indices: &'a [i64],
    /// What a column adds to the index.
    pub step: i64,
}

impl<E> Batch<'_, E> {
    /// Number of elements of a column.
    #[inline(always)]
    pub(super) fn count(&self, column: usize) -> usize {
        self.starts.len() - usize::from(column >= self.last)
    }

    /// The elements of a row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[E] {
        let columns = if row + 1 == self.starts.len() {
            self.last
        } else {
            self.columns
        };
        &self.values[self.starts[row]..][..columns]
    }
}

/// How elements join the cells of one state.
pub(super) trait Rule {
    /// The planes of the cells.
    type Store: Planes<Cell = Self::Cell>;
    /// What is known of one output element.
    type Cell: Copy + Default;
    /// The type of the elements fed.
    type Elem: Copy + Default;
    /// What was seen of the columns of a batch.
    type Part;
    /// Whether indices matter.
    const INDEXED: bool = false;
    /// Whether [`Rule::rows`] does anything.
    const READS: bool = true;
    /// Whether loops for wider instruction sets are worth their code.
    const WIDE: bool = true;
    /// Whether columns join without a merge, so that rows along are taken as they are.
    const JOINS: bool = false;

    /// A cell that `more` has joined.
    fn merge(have: Self::Cell, more: Self::Cell) -> Self::Cell;

    /// Room for a part.
    fn part() -> Self::Part;
    /// Makes it one that no row of the batch has joined.
    fn open(part: &mut Self::Part, batch: &Batch<'_, Self::Elem>);
    /// Joins `R` rows of `columns` elements.
    fn rows<const R: usize>(part: &mut Self::Part, rows: [&[Self::Elem]; R], columns: usize);
    /// A column of a part that every row of the batch has joined.
    fn close(part: &Self::Part, column: usize, batch: &Batch<'_, Self::Elem>) -> Self::Cell;

    /// As [`Rule::open`], for elements that go to one cell, in so many columns.
    fn start(_part: &mut Self::Part, _columns: usize, _values: &[Self::Elem]) {}
    /// What all columns of a part give that was started and that `len` elements have joined; only
    /// called where [`Rule::JOINS`].
    fn joined(_part: &Self::Part, _columns: usize, _len: usize) -> Self::Cell {
        Self::Cell::default()
    }

    /// Notes that something was fed to the cells `at .. at + len`.
    #[inline(always)]
    fn mark(_store: &mut Self::Store, _at: usize, _len: usize) {}

    /// Notes that everything fed to `other` was fed.
    fn merge_marks(_store: &mut Self::Store, _other: &Self::Store) {}
}

/// Joins a batch of `W` columns, or of any number if `W` is 0.
#[inline(always)]
pub(super) fn take<R: Rule, const W: usize>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
    let columns = if W == 0 { batch.columns } else { W };
    let batch = Batch { columns, ..*batch };
    R::open(part, &batch);
    if R::READS {
        pass::<R>(part, &batch);
    }
}

/// The cell of some elements that are joined in `W` columns.
#[inline(always)]
pub(super) fn take_all<R: Rule, const W: usize>(part: &mut R::Part, values: &[R::Elem]) -> R::Cell {
    R::start(part, W, values);
    pass_all::<R, W>(part, values);
    R::joined(part, W, values.len())
}

/// Joins some elements in `W` columns.
#[inline(always)]
pub(super) fn pass_all<R: Rule, const W: usize>(part: &mut R::Part, values: &[R::Elem]) {
    let mut blocks = values.chunks_exact(BLOCK * W);
    for block in &mut blocks {
        let mut rows: [&[R::Elem]; BLOCK] = [&[]; BLOCK];
        for (r, slot) in rows.iter_mut().enumerate() {
            *slot = &block[r * W..][..W];
        }
        R::rows::<BLOCK>(part, rows, W);
    }
    let mut rows = blocks.remainder().chunks_exact(W);
    for row in &mut rows {
        R::rows::<1>(part, [row], W);
    }
    let rest = rows.remainder();
    R::rows::<1>(part, [rest], rest.len());
}

/// The sum of some columns, a multiple of eight, in a fixed order.
#[inline(always)]
pub(super) fn total<T: Copy + Default>(columns: &[T], add: impl Fn(T, T) -> T) -> T {
    let (first, rest) = columns.split_at(BLOCK);
    let mut eight: [T; BLOCK] = list(|j| first[j]);
    for more in rest.chunks_exact(BLOCK) {
        for j in 0..BLOCK {
            eight[j] = add(eight[j], more[j]);
        }
    }
    let four: [T; 4] = list(|j| add(eight[j], eight[j + 4]));
    add(add(four[0], four[2]), add(four[1], four[3]))
}

/// Joins every row of a batch.
#[inline(always)]
pub(super) fn pass<R: Rule>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
    let whole = batch.starts.len() - usize::from(batch.last < batch.columns);
    let mut row = 0;
    while row + BLOCK <= whole {
        let mut rows: [&[R::Elem]; BLOCK] = [&[]; BLOCK];
        for (r, slot) in rows.iter_mut().enumerate() {
            *slot = &batch.values[batch.starts[row + r]..][..batch.columns];
        }
        R::rows::<BLOCK>(part, rows, batch.columns);
        row += BLOCK;
    }
    while row < batch.starts.len() {
        let rest = batch.row(row);
        R::rows::<1>(part, [rest], rest.len());
        row += 1;
    }
}

/// One value per number. As the array's own function, but certain to be part of its caller, whose
/// instruction set it needs.
#[inline(always)]
pub(super) fn list<T: Copy + Default, const R: usize>(of: impl Fn(usize) -> T) -> [T; R] {
    let mut out = [T::default(); R];
    for (r, slot) in out.iter_mut().enumerate() {
        *slot = of(r);
    }
    out
}

/// The first `columns` elements of each row.
#[inline(always)]
pub(super) fn cut<E, const R: usize>(mut rows: [&[E]; R], columns: usize) -> [&[E]; R] {
    for row in &mut rows {
        *row = &row[..columns];
    }
    rows
}

/// Neighbours joined in pairs, then pairs, and so on.
#[inline(always)]
pub(super) fn tree<T: Copy, const R: usize>(mut of: [T; R], join: impl Fn(T, T) -> T) -> T {
    let mut apart = 1;
    while apart < R {
        let mut at = 0;
        while at + apart < R {
            of[at] = join(of[at], of[at + apart]);
            at += 2 * apart;
        }
        apart *= 2;
    }
    of[0]
}
