import Identity
import Testing

@testable import Engines

/// Errors that are written as XML say as much as those of JSON.
@Suite struct ErrorMarkupTests {
    private func text(_ document: String) -> EngineErrorText? {
        Array(document.utf8).withUnsafeBytes { EngineErrorText(document: $0) }
    }

    private func refusal(_ status: Int, _ body: String, _ kind: EngineKind) -> EngineRefusal {
        Array(body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: kind, status: status, headers: AnswerFixture.Headers(fields: [:]), body: $0,
                now: Timestamp(milliseconds: 0))
        }
    }

    @Test(
        arguments: [
            (
                #"<?xml version="1.0"?><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"#,
                "Throttling", "Rate exceeded"
            ),
            (
                "<ErrorResponse xmlns=\"http://x\">\n <Error>\n  <Type>Sender</Type><Code>AccessDenied</Code>"
                    + "<Message>It&apos;s &lt;not&gt; &#97;llowed</Message></Error></ErrorResponse>", "AccessDenied",
                "It's <not> allowed"
            ),
            (
                "<soap:Envelope><soap:Body><soap:Fault><faultcode/><faultstring lang=\"en\">no</faultstring>"
                    + "</soap:Fault></soap:Body></soap:Envelope>", nil, "no"
            ),
            ("<error><message>cut off", nil, nil), ("<e><code></code></e>", nil, nil),
        ] as [(String, String?, String?)])
    func `elements are read by the names of members`(document: String, code: String?, message: String?) {
        let read = text(document)
        #expect(read?.code == code)
        #expect(read?.message == message)
    }

    @Test(arguments: ["<html><title>Invalid API key</title></html>", "<!DOCTYPE html><message>x</message>", "", "no"])
    func `a page, or what is no XML, says nothing`(document: String) {
        #expect(text(document)?.message == nil)
    }

    @Test(
        arguments: [
            (403, "<Error><Code>InvalidApiKey</Code><Message>no</Message></Error>", false),
            (403, "<Error><Message>Your API key is revoked</Message></Error>", false),
            (403, "<Error><Message>Blocked</Message></Error>", true), (403, "<html>Blocked</html>", true),
        ] as [(Int, String, Bool)])
    func `whether a refusal names the key is read from its words`(status: Int, body: String, isBare: Bool) {
        let refusal = refusal(status, body, .openAICompatible)
        #expect(refusal.meaning == .unauthorised && refusal.isBare == isBare)
    }

    @Test(arguments: ["x", "<", "<<<>>>", "<a><b></a></b>", "<a>\u{0}</a>", String(repeating: "<a>", count: 5000)])
    func `what is not well formed is read as far as it goes`(document: String) {
        _ = text(document)
        _ = text("<e>" + document)
    }
}
