import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct TransportSecurityTests {
        @Test func `the official client speaks TLS with a gateway whose certificate it was given`() async throws {
            let files = try TemporaryDirectory()
            let (certificate, key) = ("\(files.path)/certificate.pem", "\(files.path)/key.pem")
            _ = try await ProgramRun.run(
                [
                    "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
                ],
                directory: files.path, name: "openssl"
            ).successful("openssl")
            let installation = try await Installation.make(settings: [
                "TOLLGATE_GATEWAY_TLS_CERTIFICATE": certificate, "TOLLGATE_GATEWAY_TLS_KEY": key,
            ])
            let customer = try await installation.customer("private")
            let gateway = try await installation.served()

            let trusting = try await chat(installation, customer, verify: certificate)
            #expect(trusting.isSuccess, "\(trusting.errors)")
            #expect(trusting.output.contains("plain 5, streamed 5"), "\(trusting.output)")
            let stranger = try await chat(installation, customer, verify: nil)
            #expect(!stranger.isSuccess)
            #expect(stranger.errors.contains("APIConnectionError"), "\(stranger.errors)")

            try await installation.stop(gateway)
            try await installation.remove()
        }

        /// A plain and a streamed chat; prints how many tokens each had.
        private func chat(
            _ installation: Installation, _ customer: Customer, verify: String?
        ) async throws -> ProgramRun {
            let script = """
                import openai, ssl, sys
                url, key, verify = sys.argv[1:4]
                trust = ssl.create_default_context(cafile=verify) if verify else True
                client = openai.OpenAI(
                    base_url=url, api_key=key, max_retries=0, http_client=openai.DefaultHttpxClient(verify=trust))
                request = {"model": "sim-small", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
                plain = client.chat.completions.create(**request).usage.completion_tokens
                chunks = client.chat.completions.create(**request, stream=True)
                streamed = sum(1 for chunk in chunks if chunk.choices[0].delta.content)
                print(f"plain {plain}, streamed {streamed}")
                """
            let url = "https://127.0.0.1:\(installation.gatewayPort)/v1"
            return try await ProgramRun.run(
                [ProgramFiles.python, "-c", script, url, customer.secret, verify ?? ""],
                directory: installation.files.path, name: "tls-client")
        }
    }
}
