import Engines
import NIOCore
import NIOHTTP1

/// Which headers pass, and the heads that are written for both sides.
enum HeaderForwarding {
    /// Hop-by-hop headers (RFC 9110, section 7.6.1) and those that the gateway writes itself, in both directions.
    private static let connectionHeaders: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "proxy-authenticate", "proxy-authorization", "content-length",
    ]
    /// Not passed to an engine: credentials, what the gateway answers itself, and what it sets.
    private static let requestHeaders: Set<String> = connectionHeaders.union([
        "host", "accept-encoding", "expect", "x-request-id", "x-amz-date", "x-amz-security-token",
        "x-amz-content-sha256", "idempotency-key", TagReader.headerName,
    ]).union(ClientCredential.headerNames)
    private static let responseHeaders: Set<String> = connectionHeaders.union(["x-request-id"])
    /// An engine's headers that begin so would be taken for the gateway's.
    private static let ownPrefix = "x-tollgate-"

    /// How the end of a body is told.
    enum Framing: Hashable {
        case length(Int64)
        case chunked
        case untilClose
        /// A status that has no body.
        case none
    }

    /// The head of the request to an engine, up to and including its empty line.
    static func writeRequestHead(
        _ target: UpstreamTarget, backend: Backend, headers: [HeaderField], client: HTTPHeaders, bodyBytes: Int,
        requestID: String, into buffer: inout ByteBuffer
    ) {
        buffer.writeString(target.method)
        buffer.writeStaticString(" ")
        buffer.writeString(target.requestTarget)
        buffer.writeStaticString(" HTTP/1.1\r\nhost: ")
        buffer.writeString(backend.hostHeader)
        buffer.writeStaticString("\r\naccept-encoding: identity\r\ncontent-length: ")
        buffer.writeString(String(bodyBytes))
        buffer.writeStaticString("\r\nx-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in headers {
            buffer.writeString(header.name)
            buffer.writeStaticString(": ")
            buffer.writeString(header.value)
            buffer.writeStaticString("\r\n")
        }
        write(client, except: requestHeaders, replacedBy: headers, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// The head of the answer to a client, up to and including its empty line.
    static func writeResponseHead(
        _ head: HTTPResponseHead, framing: Framing, requestID: String, own: [HeaderField], closes: Bool,
        into buffer: inout ByteBuffer
    ) {
        writeStatus(head.status, into: &buffer)
        write(head.headers, except: responseHeaders, into: &buffer)
        buffer.writeStaticString("x-request-id: ")
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n")
        for header in own {
            buffer.writeString(header.name)
            buffer.writeStaticString(": ")
            buffer.writeString(header.value)
            buffer.writeStaticString("\r\n")
        }
        writeFraming(framing, closes: closes, into: &buffer)
    }

    /// The status line.
    static func writeStatus(_ status: HTTPResponseStatus, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
    }

    /// The last headers, and the empty line.
    static func writeFraming(_ framing: Framing, closes: Bool, into buffer: inout ByteBuffer) {
        switch framing {
        case .length(let length):
            buffer.writeStaticString("content-length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        case .chunked: buffer.writeStaticString("transfer-encoding: chunked\r\n")
        case .untilClose, .none: break
        }
        if closes || framing == .untilClose { buffer.writeStaticString("connection: close\r\n") }
        buffer.writeStaticString("\r\n")
    }

    private static func write(
        _ headers: HTTPHeaders, except names: Set<String>, replacedBy own: [HeaderField] = [],
        into buffer: inout ByteBuffer
    ) {
        let named = headers[canonicalForm: "connection"].map { $0.lowercased() }
        for (name, value) in headers {
            let lowered = name.lowercased()
            guard !lowered.hasPrefix(ownPrefix), !names.contains(lowered), !named.contains(lowered),
                !own.contains(where: { $0.name == lowered })
            else { continue }
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
    }
}

extension Backend {
    /// The value of the `host` header: an IPv6 address in brackets, a usual port left out.
    var hostHeader: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }
}

extension ByteBuffer {
    /// Appends `bytes` as one chunk of chunked transfer coding. Empty chunks would end the body, so they are left out.
    mutating func writeChunk(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        writeString(String(bytes.readableBytes, radix: 16))
        writeStaticString("\r\n")
        writeImmutableBuffer(bytes)
        writeStaticString("\r\n")
    }

    /// Appends the zero chunk that ends a chunked body.
    mutating func writeLastChunk() { writeStaticString("0\r\n\r\n") }
}
