/// Finds where the frames of an `application/vnd.amazon.eventstream` end, whatever pieces it arrives in.
///
/// A frame is four bytes of its whole length, four of its headers' length, the checksum of those eight, headers,
/// payload and the checksum of all before (Amazon's event stream encoding; all numbers big-endian). A prelude whose
/// checksum or lengths are wrong says nothing about where the next frame begins: from there on everything passes in
/// whatever pieces it comes, and is not read.
public struct AWSEventStreamSplitter: Sendable {
    /// The longest frame.
    public static let frameBytesMax = 16 * 1024 * 1024
    /// The most that a frame's headers take.
    public static let headerBytesMax = 128 * 1024

    /// Whether a prelude was wrong.
    public private(set) var isBroken = false
    private var prelude = AWSPrelude()
    /// Bytes of the frame still to come, once its prelude is known.
    private var bytesLeft = 0

    /// A splitter at the start of a stream.
    public init() {}

    /// Looks on from `offset` and returns the offset just after the next end of a frame; nil when `bytes` hold none.
    ///
    /// Bytes once looked at are not to be shown again: after nil, go on with what comes after `bytes`.
    public mutating func nextEventEnd(in bytes: UnsafeRawBufferPointer, from offset: Int) -> Int? {
        guard offset < bytes.count else { return nil }
        guard !isBroken else { return bytes.count }
        var index = offset
        while !prelude.isWhole {
            guard index < bytes.count else { return nil }
            prelude.add(bytes[index])
            index += 1
            guard prelude.isWhole else { continue }
            guard prelude.isValid else {
                isBroken = true
                return bytes.count
            }
            bytesLeft = prelude.frameBytes - AWSPrelude.byteCount
        }
        let taken = min(bytesLeft, bytes.count - index)
        bytesLeft -= taken
        guard bytesLeft == 0 else { return nil }
        prelude = AWSPrelude()
        return index + taken
    }
}

/// The first twelve bytes of a frame, taken in one by one.
struct AWSPrelude: Sendable {
    static let byteCount = 12
    /// Prelude and the checksum at the end: what a frame without headers and payload has.
    static let frameBytesMin = 16

    private var count = 0
    private var lengths: UInt64 = 0
    private var checksum: UInt32 = 0
    private var expectedChecksum: UInt32 = 0

    mutating func add(_ byte: UInt8) {
        if count < 8 {
            lengths = lengths << 8 | UInt64(byte)
            checksum = AWSChecksum.crc32(checksum, adding: byte)
        } else {
            expectedChecksum = expectedChecksum << 8 | UInt32(byte)
        }
        count += 1
    }

    /// Whether `frame` begins with a prelude that can be trusted.
    static func isValid(in frame: UnsafeRawBufferPointer) -> Bool {
        guard frame.count >= byteCount else { return false }
        var prelude = AWSPrelude()
        for byte in frame.prefix(byteCount) { prelude.add(byte) }
        return prelude.isValid
    }

    var isWhole: Bool { count == AWSPrelude.byteCount }
    var frameBytes: Int { Int(lengths >> 32) }
    var headerBytes: Int { Int(lengths & 0xFFFF_FFFF) }

    /// Whether the checksum holds and the lengths fit into one another and their limits.
    var isValid: Bool {
        checksum == expectedChecksum && frameBytes <= AWSEventStreamSplitter.frameBytesMax
            && headerBytes <= AWSEventStreamSplitter.headerBytesMax
            && headerBytes <= frameBytes - AWSPrelude.frameBytesMin
    }
}
