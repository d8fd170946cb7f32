import HTTP1
import NIOCore

/// HTTP1's parsers over NIO's buffers.
extension RequestParser {
    /// The next part of `buffer`, which is moved behind it; nil when all of it was taken. A body's bytes share memory
    /// with it.
    mutating func next(in buffer: inout ByteBuffer) throws(MessageError) -> (part: Part, body: ByteBuffer?)? {
        var offset = 0
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(MessageError) in try next(in: bytes, at: &offset) }
        }
        guard let part = try result.get() else {
            buffer = ByteBuffer()
            return nil
        }
        var body: ByteBuffer?
        if case .body(let range) = part { body = buffer.slice(of: range) }
        buffer.moveReaderIndex(forwardBy: offset)
        return (part, body)
    }
}

extension ResponseParser {
    /// The next part of `buffer`, which is moved behind it; nil when all of it was taken. A body's bytes share memory
    /// with it.
    mutating func next(in buffer: inout ByteBuffer) throws(MessageError) -> (part: Part, body: ByteBuffer?)? {
        var offset = 0
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(MessageError) in try next(in: bytes, at: &offset) }
        }
        guard let part = try result.get() else {
            buffer = ByteBuffer()
            return nil
        }
        var body: ByteBuffer?
        if case .body(let range) = part { body = buffer.slice(of: range) }
        buffer.moveReaderIndex(forwardBy: offset)
        return (part, body)
    }
}

extension ByteBuffer {
    /// These of the readable bytes.
    fileprivate func slice(of range: Range<Int>) -> ByteBuffer? {
        getSlice(at: readerIndex + range.lowerBound, length: range.count)
    }
}
