// The state of a product of floats, in f64.

struct State {
    product: f64,
    // Bit 0: an element was 0, NaN or infinite. Bit 2: a product of others ran over or under.
    odd: u32,
}

fn nothing() -> State {
    return State(1.0lf, 0u);
}

// Whether a number is far from the ends of the range, where no product of numbers is rounded more
// than any other.
fn moderate(x: f64) -> bool {
    let exponent = (bitcast<u64>(x) >> 52u) & 0x7fflu;
    return exponent > 64lu && exponent < 2047lu;
}

fn take(state: State, x: {{X}}) -> State {
    let wide = f64({{COUNTED}});
    let product = state.product * wide;
    return State(product, judged(product, state.odd | select(1u, 0u, moderate(wide))));
}

fn join(a: State, b: State) -> State {
    let product = a.product * b.product;
    return State(product, judged(product, a.odd | b.odd));
}

fn judged(product: f64, odd: u32) -> u32 {
    return odd | select(4u, 0u, (odd & 1u) != 0u || moderate(product));
}

// Whether it is what multiplying in order gives: not where a product of some elements ran over or
// under alone.
fn exact(state: State) -> bool {
    return (state.odd & 4u) == 0u;
}

fn result(state: State) -> {{Y}} {
    let total = state.product;
    return {{RESULT}};
}

fn receive(column: u32, columns: u32) -> State {
    let product = received[column];
    let special = tw_is_zero_f64(product) || !tw_is_finite_f64(product);
    return State(product, judged(product, select(0u, 1u, special)));
}

fn hand_on(column: u32, columns: u32, state: State) {
    handed[column] = state.product;
}
