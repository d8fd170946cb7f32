/// One line of a batch's output or error file: which request it answers, and with what.
public struct BatchOutputLine: Sendable {
    /// What the client called its request.
    public private(set) var customID = ""
    /// The status that the answer would have had over HTTP; 0 where there is none.
    public private(set) var status = 0
    /// Where the answer stands in the line; empty where there is none.
    public private(set) var body = 0..<0
    /// Whether it says why there is none.
    public private(set) var hasError = false
    private var hasResponse = false
    /// Where the line itself has a body.
    private var own: Range<Int>?

    /// Reads a line, without its end. Throws where it is no object, or says not whom it answers.
    public init(reading line: UnsafeRawBufferPointer) throws(JSONScanError) {
        var scanner = JSONScanner(line)
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if key.equals("custom_id", in: line) {
                customID = try scanner.string().value(in: line)
            } else if key.equals("response", in: line), try scanner.kind() == .object {
                hasResponse = true
                try readResponse(&scanner, of: line)
            } else if key.equals("response", in: line) {
                // What is no object answers nothing that could be read: null says so, a text hides it.
                hasResponse = true
                try scanner.skip()
            } else if key.equals("body", in: line), try scanner.kind() == .object {
                own = try scanner.skip()
            } else if key.equals("error", in: line) {
                let isSomething = try scanner.kind() != .null
                hasError = try !scanner.skip().isEmpty && isSomething
            } else {
                try scanner.skip()
            }
        }
        try scanner.end()
        // Some write the answer itself where others have it with its status, or put its members into the line.
        if body.isEmpty, !hasResponse, !hasError, status == 0 { body = own ?? 0..<line.count }
        if !body.isEmpty, status == 0 { status = 200 }
        guard !customID.isEmpty else { throw JSONScanError(problem: .unexpectedEnd, offset: line.count) }
    }

    private mutating func readResponse(
        _ scanner: inout JSONScanner, of line: UnsafeRawBufferPointer
    ) throws(JSONScanError) {
        let whole = scanner
        var hasBody = false
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            let kind = try scanner.kind()
            let value = try scanner.skip()
            if key.equals("body", in: line) { hasBody = true }
            if key.equals("status_code", in: line), kind == .number {
                status = Int(String(decoding: line[value], as: UTF8.self)) ?? 0
            } else if key.equals("body", in: line), kind == .object {
                body = value
            }
        }
        guard !hasBody, status == 0 else { return }
        var flat = whole
        body = try flat.skip()
    }
}
