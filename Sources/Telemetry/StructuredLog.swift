internal import Glibc
internal import Synchronization

/// A log of JSON lines, one `write(2)` each, so that lines of many threads never mix.
///
/// Each line has `time` (RFC 3339, UTC), `level`, `message`, and the fields given. No field may hold text of a prompt
/// or an answer, or a secret.
public final class StructuredLog: Sendable {
    /// How much a line matters.
    public enum Level: Int, CaseIterable, Comparable, Sendable {
        case debug, info, warning, error

        /// As it is written: `debug`, `info`, `warning`, `error`.
        public var name: String { "\(self)" }

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// The value of a field.
    public enum Value: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
        ExpressibleByBooleanLiteral, ExpressibleByStringInterpolation
    {
        case text(String)
        case integer(Int64)
        case bool(Bool)

        public init(stringLiteral value: String) { self = .text(value) }
        public init(integerLiteral value: Int64) { self = .integer(value) }
        public init(booleanLiteral value: Bool) { self = .bool(value) }
    }

    /// Lines below it are not written.
    public let minimumLevel: Level
    private let write: @Sendable ([UInt8]) -> Void
    private let realMilliseconds: @Sendable () -> Int64

    /// The longest line that is written; longer ones are cut and say so.
    public static let lineBytesMax = 16 * 1024

    /// A log on a file descriptor that stays open, standard error by default.
    public convenience init(minimumLevel: Level = .info, descriptor: Int32 = 2) {
        self.init(minimumLevel: minimumLevel, realMilliseconds: StructuredLog.wallClock) { line in
            line.withUnsafeBytes { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// A log that hands each line, with its line feed, to `write`; for tests and other places to write to.
    public init(
        minimumLevel: Level, realMilliseconds: @escaping @Sendable () -> Int64 = StructuredLog.wallClock,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.minimumLevel = minimumLevel
        self.realMilliseconds = realMilliseconds
        self.write = write
    }

    /// The machine's clock, in milliseconds since 1970.
    public static let wallClock: @Sendable () -> Int64 = {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Writes one line.
    public func log(_ level: Level, _ message: String, _ fields: KeyValuePairs<String, Value> = [:]) {
        guard level >= minimumLevel else { return }
        var line = LineWriter()
        line.add("time", .text(RFC3339.text(milliseconds: realMilliseconds())))
        line.add("level", .text(level.name))
        line.add("message", .text(message))
        for (name, value) in fields { line.add(name, value) }
        write(line.finished())
    }

    /// Writes a line for someone who looks for a fault.
    public func debug(_ message: String, _ fields: KeyValuePairs<String, Value> = [:]) { log(.debug, message, fields) }
    /// Writes a line about the normal course of things.
    public func info(_ message: String, _ fields: KeyValuePairs<String, Value> = [:]) { log(.info, message, fields) }
    /// Writes a line about something that an operator should look at.
    public func warning(_ message: String, _ fields: KeyValuePairs<String, Value> = [:]) {
        log(.warning, message, fields)
    }
    /// Writes a line about something that failed.
    public func error(_ message: String, _ fields: KeyValuePairs<String, Value> = [:]) { log(.error, message, fields) }
}

/// Builds one line.
private struct LineWriter {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]
    private var isCut = false

    mutating func add(_ name: String, _ value: StructuredLog.Value) {
        guard bytes.count + name.utf8.count < StructuredLog.lineBytesMax - 64 else {
            isCut = true
            return
        }
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        string(name)
        bytes.append(UInt8(ascii: ":"))
        switch value {
        case .text(let text): string(text)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        }
    }

    mutating func finished() -> [UInt8] {
        if isCut { bytes.append(contentsOf: #","cut":true"#.utf8) }
        bytes.append(contentsOf: "}\n".utf8)
        return bytes
    }

    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            // Six bytes at most for one scalar, and room for the quote.
            guard bytes.count < StructuredLog.lineBytesMax - 64 else {
                isCut = true
                break
            }
            switch scalar {
            case "\"": bytes.append(contentsOf: "\\\"".utf8)
            case "\\": bytes.append(contentsOf: "\\\\".utf8)
            case "\n": bytes.append(contentsOf: "\\n".utf8)
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                bytes.append(contentsOf: "\\u".utf8)
                bytes.append(contentsOf: String(repeating: "0", count: 4 - digits.count).utf8)
                bytes.append(contentsOf: digits.utf8)
            default: bytes.append(contentsOf: UTF8.encode(scalar) ?? Unicode.UTF8.encodedReplacementCharacter)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// RFC 3339 text of an instant.
enum RFC3339 {
    /// `2026-11-23T06:03:27.123Z`.
    static func text(milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: some BinaryInteger, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let time = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(time).\(padded(milliseconds % 1000, 3))Z"
    }
}
