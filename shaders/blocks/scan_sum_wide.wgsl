// The state of a sum of floats: in f64, with what rounding lost.

struct State {
    sum: f64,
    lost: f64,
    // Bit 0: an element was NaN or infinite. Bit 2: a sum of others was.
    odd: u32,
}

// Before the first element: -0, which changes no sum, not even one of -0.
fn nothing() -> State {
    return State(bitcast<f64>(0x8000000000000000lu ^ u64(tw_zero)), 0.0lf, 0u);
}

fn take(state: State, x: {{X}}) -> State {
    let wide = f64({{COUNTED}});
    let both = tw_wide_two_sum(state.sum, wide);
    let odd = state.odd | select(1u, 0u, tw_is_finite_f64(wide));
    return State(both.sum, state.lost + both.rest, judged(both.sum, odd));
}

fn join(a: State, b: State) -> State {
    let both = tw_wide_two_sum(a.sum, b.sum);
    return State(both.sum, (a.lost + b.lost) + both.rest, judged(both.sum, a.odd | b.odd));
}

fn judged(sum: f64, odd: u32) -> u32 {
    return odd | select(4u, 0u, (odd & 1u) != 0u || tw_is_finite_f64(sum));
}

// Whether it is what adding in order gives: not where a sum of some elements ran over alone.
fn exact(state: State) -> bool {
    return (state.odd & 4u) == 0u;
}

fn result(state: State) -> {{Y}} {
    // The error of an infinite sum is NaN; and -0 is kept from an error of 0.
    let whole = state.sum + state.lost;
    let same = tw_is_nan_f64(whole) || whole == state.sum;
    let total = select(whole, state.sum, same);
    return {{RESULT}};
}

fn receive(column: u32, columns: u32) -> State {
    let sum = received[column];
    return State(sum, received[columns + column], select(1u, 0u, tw_is_finite_f64(sum)));
}

fn hand_on(column: u32, columns: u32, state: State) {
    handed[column] = state.sum;
    handed[columns + column] = state.lost;
}
