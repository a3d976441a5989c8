// The state of the sum or mean of a window's elements, in f64.

struct State {
    sum: f64,
    n: u32,
}

fn nothing() -> State {
    return State(0.0lf, 0u);
}

fn push(state: State, x: {{X}}) -> State {
    return State(state.sum + f64(x), state.n + 1u);
}

fn merge(a: State, b: State) -> State {
    return State(a.sum + b.sum, a.n + b.n);
}

fn finish(state: State) -> {{Y}} {
    let n = f64(state.n);
    let value = {{VALUE}};
    return {{RESULT}};
}
