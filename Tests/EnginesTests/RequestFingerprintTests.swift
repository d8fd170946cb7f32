import Metering
import Testing

@testable import Engines

@Suite struct RequestFingerprintTests {
    private func form(_ boundary: String, file: String = "RIFF\r\n--not it\r\n", end: String = "--\r\n") -> String {
        "--\(boundary)\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
            + "--\(boundary)\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\(file)\r\n"
            + "--\(boundary)\(end)"
    }

    private func fingerprint(form body: String, _ boundary: String) throws -> RequestFingerprint {
        try Array(body.utf8).withUnsafeBytes { bytes in
            let request = try InferenceRequest(
                reading: bytes, surface: .audioTranscriptions,
                contentType: "multipart/form-data; boundary=\(boundary)")
            return RequestFingerprint(of: request, body: bytes)
        }
    }

    private func fingerprint(_ body: String, _ surface: Surface = .chatCompletions) throws -> RequestFingerprint {
        try Array(body.utf8).withUnsafeBytes { bytes in
            RequestFingerprint(of: try InferenceRequest(reading: bytes, surface: surface), body: bytes)
        }
    }

    @Test func `the same form under another boundary is the same request`() throws {
        let first = try fingerprint(form: form("aaaa"), "aaaa")
        #expect(try fingerprint(form: form("Boundary-12345"), "Boundary-12345") == first)
        #expect(try fingerprint(form: form("aaaa", file: "RIFF\r\n--not that\r\n"), "aaaa") != first)
        #expect(try fingerprint(form: form("aaaa", file: "RIFF\r\n--not it\r\n "), "aaaa") != first)
    }

    @Test func `body, model and API each make another request`() throws {
        let first = try fingerprint(#"{"model":"m","messages":[]}"#)
        #expect(try fingerprint(#"{"model":"m","messages":[]}"#) == first)
        #expect(try fingerprint(#"{"model":"m","messages":[] }"#) != first)
        #expect(try fingerprint(#"{"model":"n","messages":[]}"#) != first)
        #expect(try fingerprint(#"{"model":"m","messages":[]}"#, .messages) != first)
        #expect(RequestFingerprint(bytes: first.bytes) == first)
        #expect(RequestFingerprint(bytes: first.bytes.dropLast()) == nil)
    }
}
