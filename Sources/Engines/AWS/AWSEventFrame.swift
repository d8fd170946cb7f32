/// Why bytes are no frame of an event stream.
public enum AWSEventFrameError: Error, Hashable, Sendable {
    /// Fewer or more bytes than the frame says it has.
    case length
    /// The lengths, or their checksum, are wrong.
    case prelude
    /// The checksum over the whole frame is wrong.
    case checksum
    /// A header that ends too early, or of a type that does not exist.
    case headers
}

/// One frame of an `application/vnd.amazon.eventstream`, its checksums checked: what it is and where its payload
/// stands.
public struct AWSEventFrame {
    enum MessageType {
        case event
        /// An error that the service's model names, after the answer began with 200.
        case exception
        /// An error that it does not name.
        case error
    }

    private(set) var messageType = MessageType.event
    /// Where the value of `:event-type`, `:exception-type` or `:error-code` stands; empty when there is none.
    private(set) var name = 0..<0
    let payload: Range<Int>

    /// Reads a frame that is all of `bytes`.
    init(_ bytes: UnsafeRawBufferPointer) throws(AWSEventFrameError) {
        guard bytes.count >= AWSPrelude.frameBytesMin else { throw .length }
        var prelude = AWSPrelude()
        for index in 0..<AWSPrelude.byteCount { prelude.add(bytes[index]) }
        guard prelude.isValid else { throw .prelude }
        guard prelude.frameBytes == bytes.count else { throw .length }
        let end = bytes.count - 4
        let expected = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
        guard AWSChecksum.crc32(bytes.part(0..<end)) == expected else { throw .checksum }
        let headersEnd = AWSPrelude.byteCount + prelude.headerBytes
        payload = headersEnd..<end
        try readHeaders(bytes, AWSPrelude.byteCount..<headersEnd)
    }

    private mutating func readHeaders(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(AWSEventFrameError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let nameStart = offset + 1
            let nameEnd = nameStart + Int(bytes[offset])
            guard nameEnd < range.upperBound else { throw .headers }
            let value = try AWSEventFrame.value(in: bytes, ofType: bytes[nameEnd], at: nameEnd + 1, range.upperBound)
            offset = value.upperBound
            // Names and types are text (type 7); of anything else nothing here is made of.
            if bytes[nameEnd] == 7 { take(value, named: nameStart..<nameEnd, bytes) }
        }
    }

    private mutating func take(_ value: Range<Int>, named range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        if bytes.equals(":message-type", in: range) {
            if bytes.equals("exception", in: value) { messageType = .exception }
            if bytes.equals("error", in: value) { messageType = .error }
        } else if bytes.equals(":event-type", in: range) || bytes.equals(":exception-type", in: range)
            || bytes.equals(":error-code", in: range)
        {
            name = value
        }
    }

    /// Where the value of a header stands; by type: true and false take no bytes, integers of one to eight bytes, bytes
    /// and text behind their length, a time of eight bytes, a UUID.
    private static func value(
        in bytes: UnsafeRawBufferPointer, ofType type: UInt8, at offset: Int, _ end: Int
    ) throws(AWSEventFrameError) -> Range<Int> {
        var start = offset
        let count: Int
        switch type {
        case 0, 1: count = 0
        case 2: count = 1
        case 3: count = 2
        case 4: count = 4
        case 5, 8: count = 8
        case 6, 7:
            guard offset + 2 <= end else { throw .headers }
            count = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
            start += 2
        case 9: count = 16
        default: throw .headers
        }
        guard start + count <= end else { throw .headers }
        return start..<start + count
    }
}
