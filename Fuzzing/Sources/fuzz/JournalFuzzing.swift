@testable import UsageJournal

/// What is in a frame whose checksum was right may still be of another version, or somebody's mischief.
enum JournalFuzzing {
    static func read(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2 else { return }
        let payload = Array(bytes.dropFirst(2))
        _ = try? DecodedFrame(kind: bytes[0], version: bytes[1], payload: payload)
    }
}
