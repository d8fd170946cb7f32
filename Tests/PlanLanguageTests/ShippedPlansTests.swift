import Foundation
import Identity
import Metering
import Monetary
import NaiveArithmetic
import PlanLanguage
import Pricing
import Testing

/// The plans of `pricing-plans/`.
enum ShippedPlans {
    static let directory = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "pricing-plans")

    static func files() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
    }
}

@Suite struct ShippedPlansTests {
    @Test func `every shipped plan is free of findings and named after its file`() throws {
        let files = try ShippedPlans.files()
        #expect(files.count >= 3)
        for file in files {
            let lint = PlanLint(yaml: try String(contentsOf: file, encoding: .utf8))
            #expect(lint.findings.isEmpty, "\(file.lastPathComponent): \(lint.findings.map(\.description))")
            #expect(lint.version?.planID == file.deletingPathExtension().lastPathComponent)
        }
    }

    @Test func `the plan that the documentation shows is free of findings`() throws {
        let page = ShippedPlans.directory.deletingLastPathComponent().appending(path: "docs/plans.md")
        let parts = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```")
        let example = try #require(parts.first { $0.hasPrefix("yaml\n") })
        #expect(PlanLint(yaml: String(example.dropFirst(5))).findings.map(\.description) == [])
    }

    /// The price lists that `frontier` is made of, with their published examples.
    @Test(
        arguments: [
            (
                "sol", nil, "", "2026-11-20T12:00:00Z",
                TokenBuckets(
                    inputUncached: 50_000, cacheRead: 200_000, cacheWriteFiveMinutes: 50_000, outputVisible: 10_000),
                "0.64"
            ),
            ("sol", nil, "", "2026-11-20T12:00:00Z", TokenBuckets(inputUncached: 272_000), "0.544"),
            ("sol", nil, "", "2026-11-20T12:00:00Z", TokenBuckets(inputUncached: 272_001), "1.088004"),
            (
                "opus", "fast", "us-east-1", "2026-11-20T12:00:00Z",
                TokenBuckets(
                    inputUncached: 10_000, cacheRead: 100_000, cacheWriteHour: 20_000, outputVisible: 5_000), "0.704"
            ),
            (
                "flash", nil, "", "2026-11-17T03:59:00Z",
                TokenBuckets(inputUncached: 1_000_000, cacheRead: 1_000_000, outputVisible: 1_000_000), "1.506"
            ),
            (
                "flash", nil, "", "2026-10-01T02:00:00Z",
                TokenBuckets(inputUncached: 1_000_000, cacheRead: 1_000_000, outputVisible: 1_000_000), "0.753"
            ),
            (
                "pro", nil, "", "2026-11-20T12:00:00Z",
                TokenBuckets(inputUncached: 100_000, cacheRead: 100_001, outputVisible: 1_000), "0.327500625"
            ),
        ] as [(String, String?, String, String, TokenBuckets, String)])
    func `the price lists of the frontier plan give their examples`(
        key: String, tier: String?, region: String, at instant: String, buckets: TokenBuckets, expected: String
    ) throws {
        let file = ShippedPlans.directory.appending(path: "frontier.yaml")
        let version = try PlanVersion(yaml: String(contentsOf: file, encoding: .utf8))
        let charges = try Rating.rate(
            buckets, priceKey: key, tierServed: tier, tierRequested: nil, acceptedAt: Timestamp(instant),
            region: region, version: version)
        #expect(try Money.sum(charges.map(\.amount), currency: .usd).description == expected)
    }

    @Test(arguments: ["pay-as-you-go", "team-priority"])
    func `the plans of the demo sell what the demo serves`(name: String) throws {
        let file = ShippedPlans.directory.appending(path: "\(name).yaml")
        let version = try PlanVersion(yaml: String(contentsOf: file, encoding: .utf8))
        for priceKey in ["sim-small", "sim-large", "sim-embed", "tiny-llama"] {
            for tier in ["standard", "priority"] {
                #expect(version.price(priceKey: priceKey, tier: tier, meter: .inputTokens) != nil)
                let makesOutput = version.price(priceKey: priceKey, tier: tier, meter: .outputTokens) != nil
                #expect(makesOutput == (priceKey != "sim-embed"))
            }
        }
        #expect(!version.promises(of: "priority").isEmpty)
    }

    /// SHA-256 of the canonical text after its language, and of all price rows, as the program made them that knew
    /// neither modalities nor batches: what was published then must read and hash the same for ever.
    @Test(arguments: [
        (
            "enterprise", "dd3196d3fa3c3ec458d774cc822c0536d107ade67744b78e9573b88da79a1342",
            "7389d09ba8fe42517f1ff839ff099577a6dfc22ef765e3f896692ec79ef14778"
        ),
        (
            "internal-showback", "16887b1b3d2176b28705bc0998c4925cfdad7ced8cdff48032f1300154c310b9",
            "eb864121e4677b91a25ab0b10294d41baf3f8e66a1ae2957c3df13cc5c680b9d"
        ),
        (
            "pay-as-you-go", "b8c28951ad7bc943743aae3120386083c80e834852f77f14a699b2be93199589",
            "ff8d265d5e0f7d162ae98c9c860aa9237e4d75475e548122ad546c60612f5b53"
        ),
        (
            "team-priority", "af33560a7618c2b401a90d8c3eb2d0ffb3d813459fe5012b16cddcacdcbb79d1",
            "343cff94a14a50e5e381b06e6c49e4e8bfab9967e107b305bbc881420137922b"
        ),
    ])
    func `plans of the first version keep their canonical text and their price rows`(
        name: String, canonical: String, prices: String
    ) throws {
        let file = ShippedPlans.directory.appending(path: "\(name).yaml")
        let version = try PlanVersion(yaml: String(contentsOf: file, encoding: .utf8))
        let text = version.document.canonicalText
        #expect(text.hasPrefix("language: 1\n"))
        #expect(SHA256Digest(of: String(text.dropFirst("language: 1\n".count))).hexadecimal == canonical)
        let rows = version.prices.map { "\($0.id) \($0.unitPrice)\n" }.joined()
        #expect(SHA256Digest(of: rows).hexadecimal == prices)
    }

    @Test(arguments: Seeds.all)
    func `a damaged plan is refused or read, and nothing else`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let file = try #require(ShippedPlans.files().randomElement(using: &generator))
        let original = Array(try String(contentsOf: file, encoding: .utf8).utf8)
        for _ in 0..<5 {
            let lint = PlanLint(yaml: damaged(original, using: &generator))
            #expect(lint.isPublishable != lint.findings.contains { $0.severity == .error })
        }
    }

    private func damaged(_ original: [UInt8], using generator: inout SeededGenerator) -> String {
        let alphabet = Array("{}[]:,-?&*#|>'\"%@!`~ \n\t0.9aZ\u{0}\u{FEFF}é".utf8)
        var bytes = original
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let start = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, start + Int.random(in: 0...40, using: &generator))
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[start] = alphabet.randomElement(using: &generator) ?? 0
            case 1: bytes.removeSubrange(start..<end)
            case 2: bytes.insert(contentsOf: bytes[start..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
            default: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: start)
            }
            if bytes.isEmpty { bytes = [0x7B] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
