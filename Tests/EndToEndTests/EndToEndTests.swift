import Testing

/// Drives the built program from outside, as its users and their accidents do. One test at a time: each has the machine
/// to itself, for most of them look at what happens under load.
@Suite(.serialized)
struct EndToEndTests {}
