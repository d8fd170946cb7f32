import Engines
import Metering
import NIOCore

/// In which form a request's body is to be read.
enum BodyForm: Sendable {
    /// One that all backends of a kind share. The engine finds a form's parts by `contentType`, so they are found by it
    /// here, too.
    case shared(Surface, contentType: String)
    case native(NativeCall)

    /// Pure, linear in the body's bytes: long work for a large one.
    ///
    /// - Parameter fingerprints: whether two such bodies will have to be told apart.
    func read(_ body: ByteBuffer, fingerprints: Bool) throws(APIError) -> ReadBody {
        try body.withUnsafeReadableBytes { bytes throws(APIError) in
            do throws(RequestError) {
                let request: InferenceRequest
                switch self {
                case .shared(let surface, let type):
                    request = try InferenceRequest(reading: bytes, surface: surface, contentType: type)
                case .native(let call): request = try InferenceRequest(reading: bytes, native: call)
                }
                let fingerprint = fingerprints ? RequestFingerprint(of: request, body: bytes) : nil
                return ReadBody(request: request, fingerprint: fingerprint)
            } catch {
                throw .badRequest(error)
            }
        }
    }
}

/// What a body says.
struct ReadBody: Sendable {
    var request: InferenceRequest
    /// Nil unless it was asked for.
    let fingerprint: RequestFingerprint?
}
