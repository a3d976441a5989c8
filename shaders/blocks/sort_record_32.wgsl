// What is sorted: a key of 32 bits at most.

alias Key = u32;
alias Record = u32;

const LAST: Record = 0xffffffffu;

fn record(key: Key, place: u32) -> Record {
    return key;
}

fn key_of(r: Record) -> Key {
    return r;
}

// Nothing is known of it.
fn place_of(r: Record) -> u32 {
    return 0u;
}

fn before(a: Record, b: Record) -> bool {
    return a < b;
}

// The eight bits from `shift` on, of a number below the key's width.
fn digit(r: Record, shift: u32) -> u32 {
    return (r >> shift) & 0xffu;
}

// A record that is looked for digit by digit. Found, it is what sort_record_32_place.wgsl reads.
struct Sought {
    // Its digits as far as they are found, zeros behind.
    key: u32,
    // Records before it among those that have these digits.
    before: u32,
}

fn sought(key: Key, before: u32) -> Sought {
    return Sought(key, before);
}

fn key_found(s: Sought) -> Key {
    return s.key;
}

// Whether the digits above `shift` are those.
fn agrees(r: Record, key: Key, shift: u32) -> bool {
    return ((r ^ key) >> shift) < 256u;
}

fn with_digit(key: Key, value: u32, shift: u32) -> Key {
    return key | (value << shift);
}
