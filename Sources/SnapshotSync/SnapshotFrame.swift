import Identity

/// The snapshot's file is `magic` and then frames, each with the SHA-256 of itself and of the checksum before it, so
/// that none can be changed, left out or moved. The parts of one load come first and end with `.whole`; differences and
/// signs of life follow as they come.
///
/// A frame is 21 bytes (length of the payload, kind, time, change; big-endian), the payload, and 32 bytes of checksum.
struct SnapshotFrame {
    static let magic = "tollgate-snapshot 2\n"
    static let headerByteCount = 21
    static let digestByteCount = 32

    enum Kind: UInt8 {
        /// Rows of the load.
        case part = 1
        /// The load ends here: it is of this time and change.
        case whole = 2
        /// What changed since; everything is of this time and change then.
        case difference = 3
        /// Nothing changed up to this time.
        case current = 4
    }

    let kind: Kind
    /// When the database was known to say so, milliseconds of real time.
    let time: Int64
    let change: Int64

    /// The frame's bytes; `chain` is the checksum before it and becomes the frame's own.
    func bytes(payload: [UInt8], chain: inout SHA256Digest) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(2 * Self.digestByteCount + Self.headerByteCount + payload.count)
        writer.digest(chain)
        writer.integer(UInt32(payload.count))
        writer.integer(kind.rawValue)
        writer.integer(time)
        writer.integer(change)
        writer.bytes += payload
        chain = writer.bytes.withUnsafeBytes { SHA256Digest(of: $0) }
        writer.digest(chain)
        writer.bytes.removeFirst(Self.digestByteCount)
        return writer.bytes
    }

    /// The checksum that stands before the first frame.
    static var firstChain: SHA256Digest { SHA256Digest(of: magic) }
}
