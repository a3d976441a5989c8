// A weighted sum of neighbours: each invocation gives as many results as a word holds, or those of
// some rows at one place, which share what they read.
//
// Parameters: results; where the operand's part begins; where it would begin if all indices were
// plain; where the lists of weights, of the taps' places, of their distances, and of what stands
// beyond constant boundaries begin. Then for each axis: extent, step, where plain indices begin and
// end, and where its table begins: for each index that is reached the distance from the part's
// beginning.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<{{WORD}}>;
@group(0) @binding(2) var<storage, read_write> out: array<{{STORED}}>;

const RANK: u32 = {{RANK}}u;
const TAPS: u32 = {{TAPS}}u;
const PER: u32 = {{PER}}u;
const ROWS: u32 = {{ROWS}}u;
const AXES: u32 = 7u;
const NOWHERE: u32 = 0xffffffffu;

struct Index {
    at: array<u32, RANK>,
}

fn load(at0: u32) -> {{RING}} {
    return {{LOAD}};
}

fn number(at: u32) -> {{RING}} {
    return {{NUMBER}};
}

fn weight(tap: u32) -> {{RING}} {
    return number(p[3] + tap * {{WORDS}}u);
}

// Rounded twice, as on the CPU.
fn add(sum: {{RING}}, weight: {{RING}}, x: {{RING}}) -> {{RING}} {
    return {{ADD}};
}

// Whether `rows` results from an index on have all their neighbours at plain places.
fn inside(index: Index, rows: u32) -> bool {
    var i = index.at;
    var all = true;
    for (var a = 0u; a < RANK; a = a + 1u) {
        let more = select(0u, rows - 1u, a + 2u == RANK);
        let axis = AXES + 5u * a;
        all = all && i[a] >= p[axis + 2u] && i[a] + more < p[axis + 3u] && i[a] + more < p[axis];
    }
    return all;
}

// The place of the first neighbour of an index whose neighbours are plain.
fn plain(index: Index) -> u32 {
    var i = index.at;
    var at = p[2];
    for (var a = 0u; a < RANK; a = a + 1u) {
        at = at + i[a] * p[AXES + 5u * a + 1u];
    }
    return at;
}

fn summed_inside(at: u32) -> {{RING}} {
    var y = {{ZERO}};
    for (var tap = 0u; tap < TAPS; tap = tap + 1u) {
        y = add(y, weight(tap), load(at + p[p[5] + tap]));
    }
    return y;
}

fn summed_at_edge(index: Index) -> {{RING}} {
    var i = index.at;
    var y = {{ZERO}};
    for (var tap = 0u; tap < TAPS; tap = tap + 1u) {
        var at = p[1];
        var beyond = RANK;
        for (var a = 0u; a < RANK; a = a + 1u) {
            let place = p[p[AXES + 5u * a + 4u] + i[a] + p[p[4] + tap * RANK + a]];
            beyond = select(beyond, a, place == NOWHERE);
            at = at + place;
        }
        var x = {{ZERO}};
        if (beyond == RANK) {
            x = load(at);
        } else {
            x = number(p[6] + beyond * {{WORDS}}u);
        }
        y = add(y, weight(tap), x);
    }
    return y;
}

fn summed(index: Index) -> {{RING}} {
    if (inside(index, 1u)) {
        return summed_inside(plain(index));
    }
    return summed_at_edge(index);
}

// The index of a result, counted in row-major order, of `rows` in place of the second last extent.
fn index_of(number: u32, rows: u32) -> Index {
    var i: array<u32, RANK>;
    var rest = number;
    for (var k = 0u; k < RANK; k = k + 1u) {
        let a = RANK - 1u - k;
        let extent = select(p[AXES + 5u * a], rows, a + 2u == RANK);
        i[a] = rest % extent;
        rest = rest / extent;
    }
    return Index(i);
}

{{MAIN}}
