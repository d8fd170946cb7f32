/// The head of a response.
public struct ResponseHead: Sendable {
    /// Three digits.
    public let status: Int
    /// 0 or 1, after `HTTP/1.`
    public let minorVersion: Int
    public var headers: Headers
    public let framing: BodyFraming
    /// Whether the connection may be used again once the body has ended.
    public let keepsAlive: Bool
    /// What `content-length` says, be there a body or not.
    public var declaredLength: Int?

    /// Reads a head that ends with its empty line. `isHead`: the request's method was HEAD.
    init(bytes: [UInt8], isHead: Bool, limits: HeadLimits) throws(MessageError) {
        let (status, minorVersion, reader) = try bytes.withBytes {
            head throws(MessageError) -> (Int, Int, FieldReader) in
            let (status, minorVersion, end) = try ResponseHead.statusLine(head, limits: limits)
            return (status, minorVersion, try FieldReader(head, from: end + 2, limits: limits))
        }
        if reader.isChunked, minorVersion == 0 { throw .transferCoding }
        self.status = status
        self.minorVersion = minorVersion
        headers = Headers(bytes: bytes, fields: reader.fields, namesFields: reader.namesFields)
        declaredLength = reader.contentLength
        if isHead || status < 200 || status == 204 || status == 304 {
            framing = .none
        } else if reader.isChunked {
            framing = .chunked
        } else if let length = reader.contentLength {
            framing = length > 0 ? .length(length) : .none
        } else {
            framing = .untilClose
        }
        keepsAlive = framing != .untilClose && reader.keepsAlive(minorVersion: minorVersion)
    }

    /// `HTTP/1.x 200 reason`; the reason and the space before it may be left out.
    private static func statusLine(
        _ head: UnsafeRawBufferPointer, limits: HeadLimits
    ) throws(MessageError) -> (status: Int, minorVersion: Int, end: Int) {
        guard head.count >= 14, head.equalsExactly("HTTP/", in: 0..<5), head[6] == UInt8(ascii: "."), head[8] == 0x20
        else { throw .statusLine }
        guard head[5] == UInt8(ascii: "1"), head[7] &- 0x30 < 2 else { throw .version }
        guard let status = head.decimal(in: 9..<12), status >= 100 else { throw .statusLine }
        let end = head.firstIndexOfControl(from: 12)
        guard end + 1 < head.count, head[end] == 0x0D, head[end + 1] == 0x0A else { throw .statusLine }
        guard end == 12 || head[12] == 0x20 else { throw .statusLine }
        guard end <= limits.fieldBytes else { throw .headTooLarge }
        return (status, Int(head[7] &- 0x30), end)
    }
}
