import Engines
import Metering

/// A body that is accepted must still be accepted, and name the upstream's model, after the dialect's edits.
enum RequestFuzzing {
    private static let surfaces = Surface.allCases
    private static let kinds = EngineKind.allCases
    private static let paths = [
        "/generate", "/generate_stream", "/v2/models/m/generate", "/v2/models/m/generate_stream",
        "/v1/predictions", "/v1/models/o/n/predictions", "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent", "/model/m/converse", "/model/m/converse-stream", "/model/m/invoke",
        "/model/m/invoke-with-response-stream", "/endpoints/e/invocations", "/endpoints/e/invocations-response-stream",
    ]

    static func read(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 2 else { return }
        let body = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(2))
        let kind = kinds[Int(bytes[0]) % kinds.count]
        let backend = Backend(
            name: "b", isTLS: false, host: "h", port: 1, basePath: "", apiKey: "k", kind: kind)
        if bytes[1] < 128 {
            let surface = surfaces[Int(bytes[1]) % surfaces.count]
            guard let request = try? InferenceRequest(reading: body, surface: surface) else { return }
            check(request, body, backend) { try? InferenceRequest(reading: $0, surface: surface) }
        } else {
            let path = paths[Int(bytes[1] - 128) % paths.count]
            guard let call = kind.dialect.nativeCall(method: "POST", path: path[...]) else { return }
            guard let request = try? InferenceRequest(reading: body, native: call) else { return }
            check(request, body, backend) { try? InferenceRequest(reading: $0, native: call) }
        }
    }

    private static func check(
        _ request: InferenceRequest, _ body: UnsafeRawBufferPointer, _ backend: Backend,
        again: (UnsafeRawBufferPointer) -> InferenceRequest?
    ) {
        let edits = backend.dialect.edits(for: request, upstreamModel: "up/stream", backend: backend)
        var edited: [UInt8] = []
        var start = 0
        for edit in edits {
            precondition(edit.range.lowerBound >= start && edit.range.upperBound <= body.count, "edits overlap")
            edited += Array(body[start..<edit.range.lowerBound]) + edit.replacement
            start = edit.range.upperBound
        }
        edited += Array(body[start...])
        let reread = edited.withUnsafeBytes { again($0) }
        precondition(reread != nil, "the edited body cannot be read any more")
        _ = backend.dialect.target(for: request, upstreamModel: "up/stream", backend: backend, query: .none)
    }
}
