/// How large a message's head may be.
public struct HeadLimits: Hashable, Sendable {
    /// The start line, or one field with its name and value, in bytes.
    public var fieldBytes: Int
    /// All fields together, in bytes.
    public var listBytes: Int
    /// Fields.
    public var fieldCount: Int

    /// Limits of a head; what exceeds them is `MessageError.headTooLarge`.
    public init(fieldBytes: Int = 16 * 1024, listBytes: Int = 64 * 1024, fieldCount: Int = 100) {
        self.fieldBytes = fieldBytes
        self.listBytes = listBytes
        self.fieldCount = fieldCount
    }

    /// The whole head with its line ends, in bytes.
    var headBytes: Int { fieldBytes + listBytes + 4 }
}
