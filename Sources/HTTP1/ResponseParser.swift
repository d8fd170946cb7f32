/// Reads the responses of one connection. `expect(isHead:)` says what was asked; interim answers (1xx) are left out.
///
///     var offset = 0
///     while let part = try parser.next(in: piece, at: &offset) { … }
///
/// Bodies are not copied: a part says where in the piece they stand. After an error nothing more can be read.
public struct ResponseParser: Sendable {
    /// What comes next of a response.
    public typealias Part = MessagePart<ResponseHead>

    private let limits: HeadLimits
    private var reader: MessageReader
    private var isHead = false
    private var interimAnswers = 0

    /// Interim answers to one request.
    private static let interimAnswersMax = 16

    public init(limits: HeadLimits = HeadLimits(fieldBytes: 32 * 1024, listBytes: 128 * 1024)) {
        self.limits = limits
        reader = MessageReader(limits: limits)
    }

    /// Whether it stands between two responses, and nothing of the next one has come.
    public var isBetweenResponses: Bool { reader.isBetweenMessages }

    /// Says that a request was sent, and whether its method was HEAD, whose answer has no body.
    public mutating func expect(isHead: Bool = false) { self.isHead = isHead }

    /// The next part in `piece` from `offset` on, and moves `offset` behind it; nil when all of the piece was taken.
    public mutating func next(
        in piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(MessageError) -> Part? {
        let limits = limits
        let isHead = isHead
        var interimAnswers = interimAnswers
        defer { self.interimAnswers = interimAnswers }
        return try reader.next(in: piece, at: &offset, isFirst: { $0 == UInt8(ascii: "H") }) {
            bytes throws(MessageError) in
            let head = try ResponseHead(bytes: bytes, isHead: isHead, limits: limits)
            guard head.status >= 200 else {
                interimAnswers += 1
                guard head.status != 101, interimAnswers <= ResponseParser.interimAnswersMax else {
                    throw .interimAnswer
                }
                return nil
            }
            interimAnswers = 0
            return (head, head.framing)
        }
    }

    /// The connection closed: the end of a body that ends so, nil between two responses, an error within one.
    public mutating func connectionClosed() throws(MessageError) -> Part? {
        try reader.connectionClosed() ? .end : nil
    }
}
