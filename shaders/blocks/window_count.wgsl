// The state of the number of a window's elements.

struct State {
    n: u32,
}

fn nothing() -> State {
    return State(0u);
}

fn push(state: State, x: {{X}}) -> State {
    return State(state.n + 1u);
}

fn merge(a: State, b: State) -> State {
    return State(a.n + b.n);
}

fn finish(state: State) -> {{Y}} {
    return f64(state.n);
}
