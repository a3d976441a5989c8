//! A function of one's own on every block of an array far larger than a block.
//!
//! The closure gets a block's elements in row-major order, its extents and its place in the
//! array; blocks run on all cores, and what stands before and after joins them in one plan.

use tilewise::Array;
use tilewise::session::ChunkSpec;

fn main() -> tilewise::Result<()> {
    let field = Array::full(&[1000, 400, 50], 2.0f32)?;
    let field = field.rechunk(&[ChunkSpec::Size(100), ChunkSpec::Whole, ChunkSpec::Whole])?;
    let weighed = field.map_blocks::<f32, f32>("by its row", |values, shape, origin, out| {
        let row = shape[1] * shape[2];
        for (at, (out, value)) in out.iter_mut().zip(values).enumerate() {
            *out = value * (origin[0] + at / row) as f32;
        }
        Ok(())
    })?;
    let mean = weighed.mean(&[1, 2])?.compute::<f32>()?;
    println!("row 0: {}, row 999: {}", mean[[0]], mean[[999]]);
    Ok(())
}
