import Engines
import HTTP1
import NIOCore

/// Which headers pass, and the heads that are written for both sides. In both directions only what is on a list passes:
/// towards engines the list of the dialect (`ClientHeader`), towards clients the one here.
enum HeaderForwarding {
    /// Of an engine's answer: what says how to read it, when to ask again, what it measured, and the ids under which
    /// its support finds it. Not its cookies, its redirects, its quotas and what it runs on.
    private static let answerHeaders = FieldNames([
        "content-type", "content-encoding", "content-disposition", "content-language", "cache-control",
        "x-accel-buffering", "date", "retry-after", "retry-after-ms", "x-should-retry", "preference-applied",
        "request-id", "openai-processing-ms", "openai-version", "x-amzn-requestid", "x-amzn-errortype",
        "x-amzn-bedrock-content-type", "x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count",
        "x-amzn-bedrock-cache-read-input-token-count", "x-amzn-bedrock-cache-write-input-token-count",
        "x-amzn-bedrock-invocation-latency", "x-amzn-bedrock-service-tier", "x-amzn-sagemaker-content-type",
        "x-gemini-service-tier", "x-compute-type", "x-compute-time", "x-compute-characters", "x-total-time",
        "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token", "x-prompt-tokens",
        "x-generated-tokens",
    ])

    /// What passes to one kind of engine.
    private struct RequestTable: Sendable {
        let passed: FieldNames
        /// The same for calls of the system's own API, whose headers were read at admission.
        let passedOfNativeCalls: FieldNames
        let lists: [(name: String, members: Set<String>)]

        init(_ headers: [ClientHeader]) {
            passed = FieldNames(headers.filter { $0.rule == .passed }.map(\.name))
            passedOfNativeCalls = FieldNames(
                headers.filter { header in
                    switch header.rule {
                    case .passed, .tier, .only: true
                    case .members, .refused: false
                    }
                }.map(\.name))
            lists = headers.compactMap { header in
                if case .members(let members) = header.rule { (header.name, members) } else { nil }
            }
        }
    }

    private static let requestTables = Dictionary(
        uniqueKeysWithValues: EngineKind.allCases.map { ($0, RequestTable($0.dialect.clientHeaders)) })

    /// How the end of a body is told.
    enum Framing: Hashable {
        case length(Int64)
        case chunked
        case untilClose
        /// A status that has no body.
        case none
    }

    /// The head of the request to an engine, up to and including its empty line. `isNative`: it is a call of the
    /// system's own API.
    static func writeRequestHead(
        _ target: UpstreamTarget, backend: Backend, headers: [HeaderField], client: Headers, isNative: Bool,
        bodyBytes: Int, requestID: String, into buffer: inout ByteBuffer
    ) {
        buffer.writeString(target.method)
        buffer.writeStaticString(" ")
        buffer.writeString(target.requestTarget)
        buffer.writeStaticString(" HTTP/1.1\r\nhost: ")
        backend.writeHost(into: &buffer)
        buffer.writeStaticString("\r\naccept-encoding: identity\r\ncontent-length: ")
        buffer.writeDecimal(bodyBytes)
        buffer.writeStaticString("\r\nx-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in headers { write(header.name, header.value, into: &buffer) }
        if let table = requestTables[backend.kind] {
            for list in table.lists {
                let kept = client.all(named: list.name).flatMap { $0.split(separator: ",") }
                    .map { $0.trimmed }.filter { backend.passes($0, of: list.name, among: list.members) }
                if !kept.isEmpty { write(list.name, kept.joined(separator: ","), into: &buffer) }
            }
            write(
                client, passing: isNative ? table.passedOfNativeCalls : table.passed, replacedBy: headers,
                into: &buffer)
        }
        buffer.writeStaticString("\r\n")
    }

    /// The head of the answer to a client, up to and including its empty line.
    static func writeResponseHead(
        _ head: ResponseHead, status: Int, framing: Framing, requestID: String, own: [HeaderField], closes: Bool,
        into buffer: inout ByteBuffer
    ) {
        writeStatus(status, into: &buffer)
        write(head.headers, passing: answerHeaders, replacedBy: own, into: &buffer)
        buffer.writeStaticString("x-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in own { write(header.name, header.value, into: &buffer) }
        writeFraming(framing, closes: closes, into: &buffer)
    }

    /// The status line.
    static func writeStatus(_ status: Int, into buffer: inout ByteBuffer) {
        if let line = StatusLine.text(of: status) {
            buffer.writeStaticString(line)
        } else {
            buffer.writeStaticString("HTTP/1.1 ")
            buffer.writeDecimal(status)
            buffer.writeStaticString(" \r\n")
        }
    }

    /// The last headers, and the empty line.
    static func writeFraming(_ framing: Framing, closes: Bool, into buffer: inout ByteBuffer) {
        switch framing {
        case .length(let length):
            buffer.writeStaticString("content-length: ")
            buffer.writeDecimal(Int(length))
            buffer.writeStaticString("\r\n")
        case .chunked: buffer.writeStaticString("transfer-encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        if closes || framing == .untilClose { buffer.writeStaticString("connection: close\r\n") }
        buffer.writeStaticString("\r\n")
    }

    private static func write(
        _ headers: Headers, passing names: FieldNames, replacedBy own: [HeaderField], into buffer: inout ByteBuffer
    ) {
        headers.forEachRun(
            where: { name in names.contains(name) && !own.contains { $0.isNamed(name) } },
            { buffer.writeBytes($0) })
    }

    private static func write(_ name: String, _ value: String, into buffer: inout ByteBuffer) {
        buffer.writeString(name)
        buffer.writeStaticString(": ")
        buffer.writeString(value)
        buffer.writeStaticString("\r\n")
    }
}

extension Substring {
    /// Without the spaces and tabs around it.
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}

extension HeaderField {
    /// Whether it has this name, in any case; names of letters, digits and hyphens.
    fileprivate func isNamed(_ other: UnsafeRawBufferPointer) -> Bool {
        name.utf8.count == other.count && zip(name.utf8, other).allSatisfy { $0 == $1 | 0x20 }
    }
}

extension Backend {
    /// Appends the value of the `host` header: an IPv6 address in brackets, a usual port left out.
    fileprivate func writeHost(into buffer: inout ByteBuffer) {
        if host.utf8.contains(UInt8(ascii: ":")) {
            buffer.writeStaticString("[")
            buffer.writeString(host)
            buffer.writeStaticString("]")
        } else {
            buffer.writeString(host)
        }
        guard port != (isTLS ? 443 : 80) else { return }
        buffer.writeStaticString(":")
        buffer.writeDecimal(port)
    }
}

extension ByteBuffer {
    /// Appends `bytes` as one chunk of chunked transfer coding. Empty chunks would end the body, so they are left out.
    mutating func writeChunk(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        writeWithUnsafeMutableBytes(minimumWritableBytes: NumberText.bytesMax) {
            NumberText.writeHexadecimal(bytes.readableBytes, to: $0)
        }
        writeStaticString("\r\n")
        writeImmutableBuffer(bytes)
        writeStaticString("\r\n")
    }

    /// The most that stands before a chunk: its size in hexadecimal and a line end.
    private static let chunkHeadBytes = 18

    /// Makes room before what is going to be written, so that it can become a chunk where it stands.
    mutating func beginChunk(bytes: Int) {
        guard writerIndex == 0 else { return }
        reserveCapacity(ByteBuffer.chunkHeadBytes + bytes + 2)
        moveWriterIndex(to: ByteBuffer.chunkHeadBytes)
        moveReaderIndex(to: ByteBuffer.chunkHeadBytes)
    }

    /// Makes a chunk of what was written since `beginChunk`; false when that did not make room.
    mutating func endChunk() -> Bool {
        guard readerIndex == ByteBuffer.chunkHeadBytes else { return false }
        var rest = readableBytes
        writeStaticString("\r\n")
        var index = readerIndex - 2
        setInteger(0x0D0A as UInt16, at: index)
        repeat {
            index -= 1
            let digit = UInt8(rest & 15)
            setInteger(digit < 10 ? 0x30 + digit : 0x57 + digit, at: index)
            rest >>= 4
        } while rest > 0
        moveReaderIndex(to: index)
        return true
    }

    /// Appends `value`, which is not negative, in decimal.
    mutating func writeDecimal(_ value: Int) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: NumberText.bytesMax) {
            NumberText.writeDecimal(value, to: $0)
        }
    }
}
