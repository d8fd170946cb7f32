import Foundation
import Testing

@testable import Engines

/// What names a backend is hidden in an error however the engine encoded it.
@Suite struct EncodedSecretTests {
    private static let key = "sk-live-1234567890"

    private func redact(
        _ text: String, kind: EngineKind = .openAI, host: String = "llm.corp.example", key: String? = key
    ) -> String {
        let backend = Backend(name: "b", isTLS: true, host: host, port: 443, basePath: "", apiKey: key, kind: kind)
        let redaction = ErrorRedaction(backend: backend, upstreamModel: "gpt-real", model: "small")
        return Array(text.utf8).withUnsafeBytes { bytes in
            redaction.redacted(bytes).map { String(decoding: $0, as: UTF8.self) } ?? text
        }
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    @Test(arguments: [
        ("key sk%2Dlive%2D1234567890 is bad", "key [redacted] is bad"),
        ("key %73k-live-1234567890 is bad", "key [redacted] is bad"),
        ("key sk%252Dlive%252D1234567890", "key [redacted]"),
        (#"{"m":"sk%2\u0044live-1234567890"}"#, #"{"m":"[redacted]"}"#),
        (#"{"m":"sk\u002525\u0032Dlive-1234567890"}"#, #"{"m":"[redacted]"}"#),
        ("see https%3A%2F%2Fllm%2Ecorp%2Eexample%2Fv1 now", "see [redacted] now"),
        ("arn%3Aaws%3Abedrock%3Aeu%3A1", "[redacted]"), ("projects%2Fmy-project-1%2Fx", "[redacted]"),
        ("100%25 of 5%2B5 %zz % done", "100%25 of 5%2B5 %zz % done"),
        ("gpt%2Dreal has no field", "small has no field"),
    ])
    func `percent-encoding is read as what it stands for`(text: String, expected: String) {
        #expect(redact(text) == expected)
    }

    @Test(arguments: [
        "", "a", "ab", "abc", "api:", "Bearer ", "user:pass@", #"{"key":""#,
    ])
    func `Base64 of a key is hidden, whatever stands before it`(prefix: String) {
        for suffix in ["", ":", "\n", "\"}", "   and more"] {
            let word = Self.base64(prefix + Self.key + suffix)
            #expect(redact("Basic \(word) was refused") == "Basic [redacted] was refused", "\(word)")
            let url = word.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            #expect(redact("(\(url))") == "([redacted])", "\(url)")
        }
    }

    @Test func `so it is in escapes, in lines, in percent-encoding and in Base64 again`() {
        let word = Self.base64("?>" + Self.key + "?>~~")
        let escaped = word.replacing("/", with: #"\/"#).replacing("+", with: #"\u002b"#).replacing(
            "=", with: #"\u003d"#)
        #expect(redact(#"{"m":"\#(escaped)"}"#) == #"{"m":"[redacted]"}"#)
        let percent = word.replacing("+", with: "%2B").replacing("/", with: "%2F").replacing("=", with: "%3D")
        #expect(redact("k=\(percent)&x") == "k=[redacted]&x")
        let middle = word.index(word.startIndex, offsetBy: 11)
        for lineEnd in ["\n", "\r\n", #"\n"#, #"\r\n"#, #"\\n"#, #"\t"#] {
            let broken = word[..<middle] + lineEnd + word[middle...]
            #expect(redact("<\(broken)>") == "<[redacted]>", "\(broken)")
        }
        #expect(redact(Self.base64(word)) == "[redacted]")
    }

    @Test(arguments: ["\n", "\r\n", #"\n"#, #"\\r\\n"#, #"\t"#])
    func `a key or host that was broken into lines is hidden`(lineEnd: String) {
        #expect(redact("(sk-live-\(lineEnd)1234567890)") == "([redacted])")
        #expect(redact("at llm.corp.\(lineEnd)example now") == "at [redacted] now")
    }

    @Test(arguments: [
        "&#115;k-live-1234567890", "&#x73;k-live-1234567890", "&#0115;k-live-1234567890", "sk&hyphen;live-1234567890",
        "&amp;#115;k-live-1234567890", #"\x73k-live-1234567890"#, #"\\x73k\\x2dlive-1234567890"#,
        #"\163k-live-1234567890"#, #"\u{73}k-live-1234567890"#, #"\U00000073k-live-1234567890"#,
        "%u0073k-live-1234567890", "%26%23115;k-live-1234567890", "736b2d6c6976652d31323334353637383930",
        "736B2D6C6976652D31323334353637383930", "0x736b2d6c6976652d31323334353637383930",
        "ff736b2d6c6976652d31323334353637383930ff", "f736b2d6c6976652d31323334353637383930",
    ])
    func `characters by number or name, and digits, are read as what they stand for`(word: String) {
        #expect(redact("key \(word) is bad") == "key [redacted] is bad")
    }

    @Test(arguments: [
        "a &amp; b &lt; c", "&#; &#x; &;", #"\x \u{} \U12 \19"#, "%u00 %u", "deadbeefdeadbeefdeadbeefdeadbeef",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ])
    func `other characters and digests stay`(text: String) {
        #expect(redact(text) == text)
    }

    @Test func `hosts and accounts in Base64 are hidden`() {
        #expect(redact(Self.base64("https://LLM.corp.example/v1")) == "[redacted]")
        #expect(redact("x " + Self.base64("arn:aws:bedrock:eu-west-1:123456789012:model/x")) == "x [redacted]")
        #expect(redact(Self.base64("account 123456789012 has no access"), kind: .bedrock) == "[redacted]")
        #expect(redact(Self.base64("in org-abc123 of yours")) == "[redacted]")
    }

    @Test func `other Base64 and long words stay`() {
        let picture = String(repeating: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk", count: 200)
        for text in ["image \(picture) cannot be read", Self.base64("nothing to see here"), "aGVsbG8=", "deadbeef"] {
            #expect(redact(text) == text)
        }
    }
}
