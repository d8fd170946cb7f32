import Engines
import Identity
import NIOCore

/// A request as one backend gets it.
enum UpstreamRequest {
    /// Head and body in one buffer: the client's bytes with what the backend's dialect changes in them.
    ///
    /// - Parameter date: real time, for signatures.
    static func bytes(
        of admitted: AdmittedRequest, on route: ModelRoute, head: ForwardedHead, body: ByteBuffer, requestID: String,
        asksForUsage: Bool = true, date: Timestamp
    ) -> ByteBuffer {
        let backend = route.backend
        let dialect = backend.dialect
        let target = dialect.target(
            for: admitted.request, upstreamModel: route.upstreamName, backend: backend,
            query: ForwardedQuery(head.query.dropFirst(), to: dialect))
        let isNative = admitted.request.native != nil
        let edits = backend.edits(
            for: admitted.request, upstreamModel: route.upstreamName, asksForUsage: asksForUsage)
        let bodyBytes = edits.reduce(body.readableBytes) { $0 + $1.replacement.count - $1.range.count }
        var buffer = ByteBufferAllocator().buffer(capacity: 1024 + bodyBytes)
        guard backend.signsRequests else {
            let headers = dialect.headers(for: target, backend: backend, content: .unsigned)
            HeaderForwarding.writeRequestHead(
                target, backend: backend, headers: headers, client: head.headers, isNative: isNative,
                bodyBytes: bodyBytes, requestID: requestID, into: &buffer)
            write(body, edits: edits, into: &buffer)
            return buffer
        }
        // A signature covers the body as it goes out, so that is made first.
        var edited = ByteBufferAllocator().buffer(capacity: bodyBytes)
        write(body, edits: edits, into: &edited)
        let digest = edited.withUnsafeReadableBytes { SHA256Digest(of: $0) }
        let headers = dialect.headers(
            for: target, backend: backend, content: SignedContent(bodyDigest: digest, date: date))
        HeaderForwarding.writeRequestHead(
            target, backend: backend, headers: headers, client: head.headers, isNative: isNative,
            bodyBytes: bodyBytes, requestID: requestID, into: &buffer)
        buffer.writeImmutableBuffer(edited)
        return buffer
    }

    private static func write(_ body: ByteBuffer, edits: [ByteEdit], into buffer: inout ByteBuffer) {
        body.withUnsafeReadableBytes { source in
            var start = 0
            for edit in edits {
                buffer.writeBytes(UnsafeRawBufferPointer(rebasing: source[start..<edit.range.lowerBound]))
                buffer.writeBytes(edit.replacement)
                start = edit.range.upperBound
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: source[start...]))
        }
    }
}
