/// Reads the requests of one connection, one after the other, from whatever pieces the connection's bytes come in.
///
///     var offset = 0
///     while let part = try parser.next(in: piece, at: &offset) { … }
///
/// Bodies are not copied: a part says where in the piece they stand. After an error nothing more can be read.
public struct RequestParser: Sendable {
    /// What comes next of a request.
    public typealias Part = MessagePart<RequestHead>

    private let limits: HeadLimits
    private var reader: MessageReader
    private var emptyLines = 0

    /// Pairs of empty lines between two requests; one empty line is what some old clients send.
    private static let emptyLinesMax = 4

    public init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
        reader = MessageReader(limits: limits)
    }

    /// Whether it stands between two requests, and nothing of the next one has come.
    public var isBetweenRequests: Bool { reader.isBetweenMessages }

    /// The next part in `piece` from `offset` on, and moves `offset` behind it; nil when all of the piece was taken.
    public mutating func next(
        in piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(MessageError) -> Part? {
        let limits = limits
        var emptyLines = emptyLines
        defer { self.emptyLines = emptyLines }
        return try reader.next(in: piece, at: &offset, isFirst: { $0.isTokenCharacter || $0 == 0x0D }) {
            bytes throws(MessageError) in
            guard let head = try RequestHead(bytes: bytes, limits: limits) else {
                emptyLines += 1
                guard emptyLines <= RequestParser.emptyLinesMax else { throw .requestLine }
                return nil
            }
            emptyLines = 0
            return (head, head.framing)
        }
    }
}
