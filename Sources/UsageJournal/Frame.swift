import Identity
import Metering

/// One record on disk: `length u32, kind u8, version u8, CRC-32C u32, payload`, all little-endian.
///
/// The length counts the payload and is never 0, so that a zero length means "nothing written here yet". The checksum
/// runs over the journal's id, the kind, the version and the payload: bytes that a client chose cannot pass for a
/// frame.
enum Frame {
    static let headerBytes = 10
    /// The longest payload.
    static let payloadBytesMax = 1 << 20
    /// What is written; all versions before it are read too.
    static let version: UInt8 = 3

    /// What a frame holds.
    enum Kind: UInt8 {
        case open = 1
        case progress = 2
        case close = 3
        case heartbeat = 4
        case refusals = 5
        case epochStart = 6
        /// The last frame of a finished segment.
        case end = 7
    }

    /// The whole frame of the segment's end mark, which every segment keeps room for.
    static let endBytes = headerBytes + 8
}

/// The checksum's beginning, which depends on the journal.
struct FrameSalt: Sendable {
    private let crc: CRC32C

    init(_ id: JournalID) {
        var crc = CRC32C()
        crc.update(id.uuid.bytes)
        self.crc = crc
    }

    /// The checksum of a whole frame.
    func checksum(of frame: UnsafeRawBufferPointer) -> UInt32 {
        var crc = crc
        crc.update(UnsafeRawBufferPointer(rebasing: frame[4..<6]))
        crc.update(UnsafeRawBufferPointer(rebasing: frame[Frame.headerBytes...]))
        return crc.value
    }

    /// Encodes one frame; `write` appends the payload.
    func frame(_ kind: Frame.Kind, reserving capacity: Int, _ write: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter(reserving: capacity)
        writer.zeros(Frame.headerBytes)
        write(&writer)
        writer.patch(UInt32(writer.count - Frame.headerBytes), at: 0)
        writer.patch(kind.rawValue, at: 4)
        writer.patch(Frame.version, at: 5)
        let checksum = writer.withBytes { self.checksum(of: $0) }
        writer.patch(checksum, at: 6)
        return writer.bytes
    }

    func open(_ entry: borrowing UsageEntry) -> [UInt8] {
        let entry = copy entry
        return frame(.open, reserving: 512) { $0.entry(entry) }
    }

    func close(_ entry: borrowing UsageEntry) -> [UInt8] {
        let entry = copy entry
        return frame(.close, reserving: 768) { $0.entry(entry) }
    }

    func progress(_ progress: UsageProgress) -> [UInt8] {
        frame(.progress, reserving: 64) { $0.progress(progress) }
    }

    func heartbeat(_ heartbeat: JournalHeartbeat) -> [UInt8] {
        frame(.heartbeat, reserving: 32) {
            $0.signed(heartbeat.realTime.milliseconds)
            $0.signed(heartbeat.snapshotChange)
        }
    }

    func refusals(_ counts: [RefusalCount]) -> [UInt8] {
        frame(.refusals, reserving: 64 * (counts.count + 1)) { $0.refusals(counts) }
    }

    func epochStart(_ start: EpochStart) -> [UInt8] {
        frame(.epochStart, reserving: 32) {
            $0.signed(start.epoch)
            $0.signed(start.realTime.milliseconds)
        }
    }

    func end(ofSegment number: Int64) -> [UInt8] {
        frame(.end, reserving: Frame.endBytes) { $0.fixed(UInt64(bitPattern: number)) }
    }
}

/// What a whole frame with a right checksum says.
enum DecodedFrame: Equatable {
    case entry(JournalEntry)
    case end
    /// A version or a kind that this program does not know.
    case newer(String)

    /// Decodes the payload of a frame whose checksum was right.
    init(kind: UInt8, version: UInt8, payload: [UInt8]) throws(DecodingFault) {
        guard (1...Frame.version).contains(version), let kind = Frame.Kind(rawValue: kind) else {
            self = .newer(
                "record kind \(kind), version \(version); known are kinds 1 to 7, versions 1 to \(Frame.version)")
            return
        }
        var reader = ByteReader(payload)
        switch kind {
        case .open: self = .entry(.open(try reader.entry(version: version)))
        case .close: self = .entry(.close(try reader.entry(version: version)))
        case .progress: self = .entry(.progress(try reader.progress(version: version)))
        case .heartbeat:
            let time = Timestamp(milliseconds: try reader.signed())
            self = .entry(.heartbeat(JournalHeartbeat(realTime: time, snapshotChange: try reader.signed())))
        case .refusals: self = .entry(.refusals(try reader.refusals()))
        case .epochStart:
            let epoch = try reader.signed()
            let time = Timestamp(milliseconds: try reader.signed())
            self = .entry(.epochStart(EpochStart(epoch: epoch, realTime: time)))
        case .end:
            _ = try reader.fixed64()
            self = .end
        }
        try reader.finish()
    }
}
