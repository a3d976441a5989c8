//! Products of matrices through a session: operations per second (a product and a sum are two) of
//! each dtype, of a transposed factor, and of vectors, which are bound by memory. Answers are checked.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::session::Session;
use tilewise::{Array, DType};
use tilewise_kernels::Element;

/// Extents of square factors: long enough that the work grows beyond the packing.
const N: usize = 1024;

/// A matrix of small whole numbers, so that sums are exact in any order.
fn matrix<T: Element>(rows: usize, cols: usize, step: usize, dtype: DType) -> Option<Array> {
    let values: Vec<i8> = (0..rows * cols).map(|i| (i * step % 7) as i8 - 3).collect();
    let whole = Array::from_vec(&[rows, cols], values).ok()?.astype(dtype);
    let values = Session::global().ok()?.compute::<T>(&whole).ok()?;
    Array::from_ndarray(&values).ok()
}

/// The element of the product at a row and a column, summed one by one.
fn element(row: usize, col: usize, n: usize, steps: (usize, usize)) -> f64 {
    let value = |i: usize| f64::from((i % 7) as i8 - 3);
    (0..n)
        .map(|k| value((row * n + k) * steps.0) * value((k * n + col) * steps.1))
        .sum()
}

fn square<T: Element>(c: &mut Criterion, n: usize, transposed: bool) {
    let session = Session::global().expect("a session");
    let a = matrix::<T>(n, n, 3, T::DTYPE).expect("a factor");
    let b = matrix::<T>(n, n, 5, T::DTYPE).expect("a factor");
    let b = if transposed {
        b.transpose().expect("a view")
    } else {
        b
    };
    let product = a.matmul(&b).expect("a product");
    let mut out = vec![T::Stored::default(); n * n];
    let mut group = c.benchmark_group("matmul");
    group
        .throughput(Throughput::Elements(2 * (n as u64).pow(3)))
        .sample_size(10);
    let name = if transposed {
        format!("{} {n} with a transposed factor", T::DTYPE)
    } else {
        format!("{} {n}", T::DTYPE)
    };
    group.bench_function(name, |bench| {
        bench.iter(|| {
            let bytes = bytemuck::cast_slice_mut(&mut out);
            session.compute_into(&[&product], vec![bytes]).expect("a result");
        });
    });
    group.finish();
    if T::DTYPE.is_float() && T::DTYPE.size() >= 4 && !transposed {
        assert_eq!(
            T::load(out[5 * n + 9]).to_f64(),
            element(5, 9, n, (3, 5)),
            "row 5, column 9"
        );
    }
}

fn squares(c: &mut Criterion) {
    square::<f32>(c, N, false);
    square::<f64>(c, N, false);
    square::<f32>(c, N, true);
    square::<tilewise_kernels::f16>(c, N, false);
    square::<i32>(c, N, false);
    square::<bool>(c, N, false);
}

fn vectors(c: &mut Criterion) {
    let session = Session::global().expect("a session");
    let a = matrix::<f32>(4096, 4096, 3, DType::F32).expect("a matrix");
    let x = Array::full(&[4096], 1.0f32).expect("a vector");
    let product = a.matmul(&x).expect("a product");
    let want = session
        .compute::<f32>(&a.sum(&[1]).expect("a sum"))
        .expect("a result");
    let mut group = c.benchmark_group("matmul");
    group
        .throughput(Throughput::Bytes(4096 * 4096 * 4))
        .sample_size(10);
    group.bench_function("float32 matrix of 4096 and a vector", |bench| {
        bench.iter(|| {
            assert_eq!(
                session.compute::<f32>(&product).expect("a result")[[7]],
                want[[7]]
            )
        });
    });
    group.finish();
}

criterion_group!(benches, squares, vectors);
criterion_main!(benches);
