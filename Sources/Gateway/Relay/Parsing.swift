import HTTP1
import NIOCore

// HTTP1's parsers over NIO's buffers: the next part of `buffer`, which is moved behind it; nil when all of it was
// taken. A body's bytes share memory with it.

extension RequestParser {
    mutating func next(in buffer: inout ByteBuffer) throws(MessageError) -> (part: Part, body: ByteBuffer?)? {
        try buffer.nextPart { bytes, offset throws(MessageError) in try next(in: bytes, at: &offset) }
    }
}

extension ResponseParser {
    mutating func next(in buffer: inout ByteBuffer) throws(MessageError) -> (part: Part, body: ByteBuffer?)? {
        try buffer.nextPart { bytes, offset throws(MessageError) in try next(in: bytes, at: &offset) }
    }
}

extension ByteBuffer {
    @inline(__always)
    fileprivate mutating func nextPart<Head>(
        _ next: (UnsafeRawBufferPointer, inout Int) throws(MessageError) -> MessagePart<Head>?
    ) throws(MessageError) -> (part: MessagePart<Head>, body: ByteBuffer?)? {
        var offset = 0
        let result = withUnsafeReadableBytes { bytes in
            Result { () throws(MessageError) in try next(bytes, &offset) }
        }
        guard let part = try result.get() else {
            self = ByteBuffer()
            return nil
        }
        var body: ByteBuffer?
        if case .body(let range) = part {
            body = getSlice(at: readerIndex + range.lowerBound, length: range.count)
        }
        moveReaderIndex(forwardBy: offset)
        return (part, body)
    }
}
