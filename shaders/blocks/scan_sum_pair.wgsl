// The state of a sum of floats where shaders have no f64: a pair of f32.

struct State {
    sum: vec2<f32>,
    // Bit 0: an element was NaN or infinite. Bit 1: an element was not -0. Bit 2: a sum of finite
    // elements was not finite.
    odd: u32,
}

fn nothing() -> State {
    return State(vec2<f32>(0.0f, 0.0f), 0u);
}

fn take(state: State, x: {{X}}) -> State {
    let counted = {{COUNTED}};
    let odd = select(1u, 0u, tw_is_finite(counted)) | select(2u, 0u, bitcast<u32>(counted) == 0x80000000u);
    let sum = tw_pair_add_f32(state.sum, counted);
    return State(sum, judged(sum, state.odd | odd));
}

fn join(a: State, b: State) -> State {
    let sum = tw_pair_add(a.sum, b.sum);
    return State(sum, judged(sum, a.odd | b.odd));
}

fn judged(sum: vec2<f32>, odd: u32) -> u32 {
    return odd | select(4u, 0u, (odd & 1u) != 0u || tw_is_finite(sum.x));
}

// Whether it is what adding in order gives: not where a sum left the range of f32.
fn exact(state: State) -> bool {
    return (state.odd & 4u) == 0u;
}

fn result(state: State) -> {{Y}} {
    let negative = (state.odd & 2u) == 0u;
    let total = select(state.sum.x + state.sum.y, bitcast<f32>(0x80000000u ^ tw_zero), negative);
    return {{RESULT}};
}

fn receive(column: u32, columns: u32) -> State {
    let sum = vec2<f32>(bitcast<f32>(received[column]), bitcast<f32>(received[columns + column]));
    return State(sum, received[2u * columns + column]);
}

fn hand_on(column: u32, columns: u32, state: State) {
    handed[column] = bitcast<u32>(state.sum.x);
    handed[columns + column] = bitcast<u32>(state.sum.y);
    handed[2u * columns + column] = state.odd;
}
