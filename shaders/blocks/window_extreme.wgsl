// The state of the largest or smallest of a window's elements: the first of the best.

struct State {
    best: {{X}},
    n: u32,
}

fn nothing() -> State {
    return State({{NOTHING}}, 0u);
}

fn push(state: State, x: {{X}}) -> State {
    let best = state.best;
    return State(select(best, x, {{BEATS}}), state.n + 1u);
}

fn merge(a: State, b: State) -> State {
    let best = a.best;
    let x = b.best;
    return State(select(best, x, {{BEATS}}), a.n + b.n);
}

fn finish(state: State) -> {{Y}} {
    let value = state.best;
    return {{RESULT}};
}
