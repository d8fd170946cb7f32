import CZlib
import NIOCore

/// Unpacks an answer that an engine compressed although it was asked not to: what cannot be read cannot be metered.
final class Inflater {
    /// The answer is no gzip or deflate, breaks off, or unpacks to more than it may.
    struct Unreadable: Error {}

    private let stream: UnsafeMutablePointer<z_stream>
    private var hasEnded = false
    private var outputBytes: Int64 = 0
    private let outputBytesMax: Int64

    private static let stepBytes = 64 * 1024

    /// The codings that it unpacks, as `content-encoding` names them (RFC 9110, section 8.4.1).
    static func unpacks(_ contentEncoding: String) -> Bool {
        ["gzip", "x-gzip", "deflate"].contains(contentEncoding.lowercased())
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

    /// What `piece` unpacks to.
    func inflate(_ piece: ByteBuffer) throws(Unreadable) -> ByteBuffer {
        var output = ByteBuffer()
        var input = piece
        let isRead = input.withUnsafeMutableReadableBytes { bytes in
            stream.pointee.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            defer { stream.pointee.next_in = nil }
            repeat {
                guard step(into: &output) else { return false }
            } while !hasEnded && (stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0)
            return true
        }
        guard isRead else { throw Unreadable() }
        return output
    }

    /// Unpacks until the room of one step is used up, or there is nothing more to unpack.
    private func step(into output: inout ByteBuffer) -> Bool {
        var result = Z_OK
        let written = output.writeWithUnsafeMutableBytes(minimumWritableBytes: Inflater.stepBytes) { room in
            stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(room.count)
            result = CZlib.inflate(stream, Z_NO_FLUSH)
            return room.count - Int(stream.pointee.avail_out)
        }
        outputBytes += Int64(written)
        hasEnded = result == Z_STREAM_END
        return (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) && outputBytes <= outputBytesMax
    }
}
