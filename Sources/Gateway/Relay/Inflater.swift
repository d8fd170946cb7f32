import CZlib
import NIOCore

/// Unpacks what came packed, slice by slice: what an engine compressed although it was asked not to, for what cannot be
/// read cannot be metered, and the bodies of clients that compress theirs.
final class Inflater {
    /// It is no gzip or deflate, breaks off, or unpacks to more than it may.
    struct Unreadable: Error {}

    /// The most that is unpacked before the event loop turns to others: under a millisecond.
    static let sliceBytes = 256 * 1024
    /// The most that a packed byte may come to, beyond `freeBytes`: text of languages and JSON stays below 30.
    static let ratioMax: Int64 = 200
    static let freeBytes: Int64 = 1 << 20

    private let stream: UnsafeMutablePointer<z_stream>
    private var hasEnded = false
    private var isRoomUsedUp = false
    private var inputBytes: Int64 = 0
    private var outputBytes: Int64 = 0
    private let outputBytesMax: Int64

    private static let stepBytes = 64 * 1024

    /// The codings that it unpacks, as `content-encoding` names them (RFC 9110, section 8.4.1).
    static func unpacks(_ contentEncoding: String) -> Bool {
        ["gzip", "x-gzip", "deflate"].contains(contentEncoding.lowercased())
    }

    /// How a body is packed.
    enum Packing: Hashable {
        case plain
        case packed
        /// In a way that is not read here, or several times over.
        case unknown
    }

    /// What the `content-encoding` lines of a message say.
    static func packing(_ lines: [String]) -> Packing {
        var codings: [String] = []
        for line in lines {
            for part in line.split(separator: ",") {
                let name = part.filter { $0 != " " && $0 != "\t" }.lowercased()
                if !name.isEmpty, name != "identity" { codings.append(name) }
            }
        }
        guard let coding = codings.first else { return .plain }
        return codings.count == 1 && unpacks(coding) ? .packed : .unknown
    }

    /// Nil when there is no memory for it.
    init?(outputBytesMax: Int64) {
        self.outputBytesMax = outputBytesMax
        // zlib remembers where its state stands, so that has to stay there.
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard tollgate_inflate_init(stream) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Whether the packed data came to its own end.
    var isWhole: Bool { hasEnded }

    /// Whether more may come out of `piece`, or of what was taken of it already.
    func hasMore(of piece: ByteBuffer) -> Bool { piece.readableBytes > 0 || isRoomUsedUp }

    /// The next slice of what `piece` unpacks to. Takes from `piece` what it used.
    func nextSlice(of piece: inout ByteBuffer) throws(Unreadable) -> ByteBuffer {
        var output = ByteBuffer()
        while hasMore(of: piece), output.readableBytes < Inflater.sliceBytes {
            guard try step(&piece, into: &output) else { break }
        }
        return output
    }

    /// All that `piece` unpacks to.
    func inflate(_ piece: ByteBuffer) throws(Unreadable) -> ByteBuffer {
        var piece = piece
        var output = ByteBuffer()
        while hasMore(of: piece) { output.writeImmutableBuffer(try nextSlice(of: &piece)) }
        return output
    }

    /// Unpacks until the room of one step is used up, or there is nothing more to unpack. False when it got no further.
    private func step(_ piece: inout ByteBuffer, into output: inout ByteBuffer) throws(Unreadable) -> Bool {
        if hasEnded {
            // Several packed members behind one another are one text (RFC 1952, section 2.2).
            guard inflateReset(stream) == Z_OK else { throw Unreadable() }
            hasEnded = false
        }
        let before = piece.readableBytes
        var result = Z_OK
        let written = piece.readWithUnsafeMutableReadableBytes { bytes in
            stream.pointee.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            let written = output.writeWithUnsafeMutableBytes(minimumWritableBytes: Inflater.stepBytes) { room in
                let size = min(room.count, Inflater.stepBytes)
                stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(size)
                result = CZlib.inflate(stream, Z_NO_FLUSH)
                return size - Int(stream.pointee.avail_out)
            }
            stream.pointee.next_in = nil
            return (bytes.count - Int(stream.pointee.avail_in), written)
        }
        inputBytes += Int64(before - piece.readableBytes)
        outputBytes += Int64(written)
        hasEnded = result == Z_STREAM_END
        isRoomUsedUp = !hasEnded && stream.pointee.avail_out == 0
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { throw Unreadable() }
        guard outputBytes <= outputBytesMax,
            outputBytes <= Inflater.freeBytes + Inflater.ratioMax * inputBytes
        else { throw Unreadable() }
        assert(outputBytes >= 0 && inputBytes >= 0, "counts of bytes only grow")
        return written > 0 || piece.readableBytes < before
    }
}
