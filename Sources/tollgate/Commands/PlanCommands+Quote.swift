import ArgumentParser
import Foundation
import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing

extension PlansCommand {
    /// Prices usage that never was: to try a plan before it is published, and to hold it against a calculation of
    /// one's own.
    struct Quote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Price made-up usage by a plan file; nothing is stored.",
            discussion: """
                USAGE has a JSON object a line: model (a price key), and where they matter tier, batch (true), region, \
                accepted_at (RFC 3339), requests, and quantities, by the names that prices have in plans: \
                {"model": "sol", "quantities": {"input": 1000, "output": 50}}. An answer is a line, too: amount, \
                charges and currency, or error and detail.
                """)

        @Argument(help: "The plan file.") var plan: String
        @Argument(help: "The usage; - reads standard input.") var usage: String

        private static func standardInput() -> String {
            String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        }

        func run() async throws {
            let version = try PlansCommand.version(inFile: plan)
            let text = try usage == "-" ? Self.standardInput() : readText(usage)
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            where !line.allSatisfy(\.isWhitespace) {
                let asked: Usage
                do {
                    asked = try JSONDecoder().decode(Usage.self, from: Data(line.utf8))
                } catch {
                    throw ValidationError("line \(index + 1) of \(usage) is no usage: \(error.localizedDescription)")
                }
                let answer = try asked.answer(by: version, line: index + 1)
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(answer), as: UTF8.self))
            }
        }
    }
}

extension PlansCommand.Quote {
    struct Usage: Decodable {
        var model: String
        var tier: String?
        var batch: Bool?
        var region: String?
        var accepted_at: String?
        var requests: Int64?
        var quantities: [String: Int64]?

        func answer(by version: PlanVersion, line: Int) throws -> Answer {
            var instant: Timestamp?
            if let text = accepted_at {
                guard let read = Timestamp(text) else {
                    throw ValidationError("line \(line): \"\(text)\" is not an RFC 3339 time")
                }
                instant = read
            }
            var attempt = AttemptRecord(
                id: AttemptID(UUIDv7(milliseconds: 0, randomness: (0, 0))), backend: "", upstreamModel: model,
                priceKey: model)
            attempt.isBatch = batch ?? false
            attempt.tierServed = tier
            for (name, quantity) in quantities ?? [:] {
                guard let meter = Meter.allCases.first(where: { $0.planKey == name }), meter != .requests else {
                    let known = Meter.allCases.filter { $0 != .requests }.map(\.planKey).joined(separator: ", ")
                    throw ValidationError("line \(line): \"\(name)\" is no quantity; known: \(known)")
                }
                attempt.set(quantity, of: meter)
            }
            do throws(RatingError) {
                let charges = try Rating.rate(
                    attempt.buckets, units: attempt.units, requests: requests ?? 0, priceKey: model,
                    tierServed: version.billedTier(of: attempt, requested: tier), tierRequested: nil,
                    acceptedAt: instant, region: region ?? "", version: version)
                let total = try? Money.sum(charges.map(\.amount), currency: version.currency)
                guard let total else { return Answer(error: "amount_overflow") }
                return Answer(
                    amount: "\(total)", currency: version.currency.code,
                    charges: charges.map {
                        Answer.Charge(price: $0.price.id, quantity: $0.quantity, amount: "\($0.amount)")
                    })
            } catch {
                return Answer(error: error.code, detail: "\(error)")
            }
        }
    }

    struct Answer: Encodable {
        struct Charge: Encodable {
            var price: String
            var quantity: Int64
            var amount: String
        }

        var amount: String?
        var currency: String?
        var charges: [Charge]?
        var error: String?
        var detail: String?
    }
}

extension AttemptRecord {
    fileprivate mutating func set(_ quantity: Int64, of meter: Meter) {
        switch meter {
        case .inputTokens: buckets.inputUncached = quantity
        case .inputAudioTokens: buckets.inputAudio = quantity
        case .inputImageTokens: buckets.inputImage = quantity
        case .inputVideoTokens: buckets.inputVideo = quantity
        case .cacheReadTokens: buckets.cacheRead = quantity
        case .cacheReadAudioTokens: buckets.cacheReadAudio = quantity
        case .cacheReadImageTokens: buckets.cacheReadImage = quantity
        case .cacheReadVideoTokens: buckets.cacheReadVideo = quantity
        case .cacheWriteTokens: buckets.cacheWriteFiveMinutes = quantity
        case .cacheWriteHourTokens: buckets.cacheWriteHour = quantity
        case .cacheWriteLongTokens: buckets.cacheWriteLong = quantity
        case .outputTokens: buckets.outputVisible = quantity
        case .outputAudioTokens: buckets.outputAudio = quantity
        case .outputImageTokens: buckets.outputImage = quantity
        case .reasoningTokens: buckets.outputReasoning = quantity
        case .images: units.images = quantity
        case .audioMilliseconds: units.audioMilliseconds = quantity
        case .characters: units.characters = quantity
        case .searches: units.searches = quantity
        case .computeMilliseconds: units.computeMilliseconds = quantity
        case .requests: break
        }
    }
}
