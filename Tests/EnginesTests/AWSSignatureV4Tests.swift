import Engines
import Identity
import Testing

/// The expected signatures were computed with botocore 1.43.11 (`botocore.auth.SigV4Auth`) for the same requests.
@Suite struct AWSSignatureV4Tests {
    struct Case: Sendable {
        var method = "POST"
        let service: AWSSignatureV4.Service
        let region: String
        var token: String?
        let host: String
        let path: String
        var query = ""
        var headers: [HeaderField] = [json]
        let body: String
        let signedHeaders: String
        let signature: String
    }

    private static let json = HeaderField("content-type", "application/json")
    private static let body = #"{"messages":[{"role":"user","content":[{"text":"Grüße"}]}]}"#

    private static let cases = [
        // An escaped colon is escaped again: %253A.
        Case(
            service: .bedrock, region: "eu-central-1", host: "bedrock-runtime.eu-central-1.amazonaws.com",
            path: "/model/anthropic.claude-opus-4-5-20251101-v1%3A0/converse", body: body,
            signedHeaders: "content-type;host;x-amz-date",
            signature: "abe1c66a0add59a25bd3dcad959d12b22e40e3d9b7a580fa5e5ca73c724540b8"),
        // A model named by its ARN, so that escaped slashes stand in one segment; a session's token.
        Case(
            service: .bedrock, region: "eu-central-1", token: "IQoJb3JpZ2luX2VjEXAMPLE//TOKEN==",
            host: "bedrock-runtime.eu-central-1.amazonaws.com",
            path: "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2F"
                + "eu.amazon.nova-pro-v1%3A0/converse-stream",
            headers: [
                HeaderField("x-amzn-bedrock-service-tier", "priority"), json,
                HeaderField("accept", "application/vnd.amazon.eventstream"),
            ], body: body,
            signedHeaders: "accept;content-type;host;x-amz-date;x-amz-security-token;x-amzn-bedrock-service-tier",
            signature: "cbb5f991d2e9f5301f04d7bb56e4bf23e7353b25f76278afb3d0cfda0ae67f9e"),
        // Unreserved characters in the path, and a header with white space to fold.
        Case(
            service: .sageMaker, region: "us-west-2", host: "runtime.sagemaker.us-west-2.amazonaws.com",
            path: "/endpoints/llama~3_1.8b/invocations",
            headers: [
                json,
                HeaderField("x-amzn-sagemaker-custom-attributes", "  a   b  c=%20 "),
            ], body: body, signedHeaders: "content-type;host;x-amz-date;x-amzn-sagemaker-custom-attributes",
            signature: "3031ad16ad091665dbbdf38ea912d25b676808c9f03fea65353d0fce86997df7"),
        // A query out of order, with a repeated name, a name without a value and escapes.
        Case(
            method: "GET", service: .bedrock, region: "us-east-1", host: "bedrock.us-east-1.amazonaws.com",
            path: "/foundation-models",
            query: "byProvider=amazon&byOutputModality=TEXT&empty=&flag&a%2Fb=1%202&byProvider=a", headers: [],
            body: "", signedHeaders: "host;x-amz-date",
            signature: "1f2c57b257e2a98e736c382b5e5c68d52282b7cffbaa6445ff1c3a2b87c4249a"),
        // Dots, an empty segment and a bare colon, at a host with a port.
        Case(
            service: .bedrock, region: "us-east-1", token: "t", host: "127.0.0.1:8099",
            path: "/model/a%20b/../meta.llama3-8b-v1:0//invoke", body: "{}",
            signedHeaders: "content-type;host;x-amz-date;x-amz-security-token",
            signature: "8930ab048be41d9a6dee86a9d4633d6f78e17ffbcd51360c99a0fe3fa686b251"),
    ]

    @Test(arguments: cases)
    func `a signature is the one that botocore makes`(expected: Case) throws {
        let time = try #require(Timestamp("2026-11-25T08:05:09.987Z"))
        let fields = AWSSignatureV4(
            credentials: BackendSettings.AWSCredentials(
                accessKeyID: "AKIAEXAMPLE000000001", secretAccessKey: "s3cr3t/With+Signs0123456789abcdefghijklm",
                sessionToken: expected.token, region: expected.region),
            service: expected.service
        ).headerFields(
            method: expected.method, host: expected.host, path: expected.path, query: expected.query,
            headers: expected.headers, body: SHA256Digest(of: expected.body), at: time)
        let scope = "20261125/\(expected.region)/\(expected.service.rawValue)/aws4_request"
        var all = [HeaderField("x-amz-date", "20261125T080509Z")]
        if let token = expected.token {
            all.append(HeaderField("x-amz-security-token", token))
        }
        all.append(
            HeaderField(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE000000001/\(scope), "
                    + "SignedHeaders=\(expected.signedHeaders), Signature=\(expected.signature)"))
        #expect(fields == all)
    }
}
