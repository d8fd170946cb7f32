/// What comes next of a message.
public enum MessagePart<Head: Sendable>: Sendable {
    case head(Head)
    /// Bytes of the body: these of the piece.
    case body(Range<Int>)
    /// The message is over; another may follow in the same piece.
    case end
}

/// What requests and responses have in common: a head, a body, and the next message behind it.
struct MessageReader: Sendable {
    /// The body that is being read; nil before a head.
    private var body: BodyReader?
    private var buffer = HeadBuffer()
    private let limits: HeadLimits

    init(limits: HeadLimits) { self.limits = limits }

    /// Whether it stands between two messages, and nothing of the next one has come.
    var isBetweenMessages: Bool { body == nil && buffer.isEmpty }

    /// The next part in `piece` from `offset` on, and moves `offset` behind it; nil when all of the piece was taken.
    ///
    /// - Parameters:
    ///   - isFirst: whether a byte may begin a head.
    ///   - head: reads the bytes of a whole head; nil for what stands before the message and is no part of it.
    @inline(__always)
    mutating func next<Head>(
        in piece: UnsafeRawBufferPointer, at offset: inout Int, isFirst: (UInt8) -> Bool,
        head: ([UInt8]) throws(MessageError) -> (head: Head, framing: BodyFraming)?
    ) throws(MessageError) -> MessagePart<Head>? {
        guard var reader = body else {
            while let bytes = try buffer.take(from: piece, at: &offset, bytesMax: limits.headBytes, isFirst: isFirst) {
                guard let found = try head(bytes) else { continue }
                body = BodyReader(found.framing, trailerBytesMax: limits.listBytes)
                return .head(found.head)
            }
            return nil
        }
        let part = try reader.next(in: piece, at: &offset)
        body = reader
        switch part {
        case .bytes(let range): return .body(range)
        case .end:
            body = nil
            return .end
        case nil: return nil
        }
    }

    /// The connection closed. True where that ends the message, false between two, an error within one.
    mutating func connectionClosed() throws(MessageError) -> Bool {
        if let reader = body, reader.endsWithConnection {
            body = nil
            return true
        }
        guard isBetweenMessages else { throw .incomplete }
        return false
    }
}
