import Metering
import Monetary
import Pricing

/// Reads a price as it is sold: `0.04 per image`, `0.006 per minute`, `14 per 1000 searches`, `5 per 1K requests`. A
/// number alone is per 1 000 000.
enum SoldPrice {
    /// Why a text is no price: a sentence for whoever wrote it.
    struct Mistake: Error {
        let message: String
    }

    static func read(_ text: String, of meter: Meter) throws(Mistake) -> UnitPrice {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        if words.count == 1 { return try mending { () throws(MonetaryError) in try UnitPrice(parsing: text) } }
        guard (3...4).contains(words.count), words[1] == "per" else { throw malformed(text, meter) }
        let number = words.count == 4 ? count(words[2]) : 1
        guard let number, let size = size(of: words[words.count - 1], for: meter.unit) else {
            throw malformed(text, meter)
        }
        let price = try mending { () throws(MonetaryError) in
            // Any currency: only the number counts.
            try Money(parsing: String(words[0]), currency: .usd)
        }
        if price.isNegative { throw Mistake(message: "a price is zero or more") }
        let units = Int128(number) * Int128(size)
        let (whole, rest) = price.picounits.quotientAndRemainder(dividingBy: units)
        guard rest == 0 else { throw notWhole(text, whole, units, words.dropFirst().joined(separator: " ")) }
        return try mending { () throws(MonetaryError) in
            guard let picounits = Int64(exactly: whole) else { throw .overflow }
            return try UnitPrice(picounits: picounits)
        }
    }

    private static func mending<Value>(
        _ work: () throws(MonetaryError) -> Value
    ) throws(Mistake) -> Value {
        do throws(MonetaryError) {
            return try work()
        } catch {
            throw Mistake(message: "\(error)")
        }
    }

    /// `1000`, `1K`, `1M`.
    private static func count(_ text: Substring) -> Int64? {
        let factor: Int64 = text.hasSuffix("M") ? 1_000_000 : text.hasSuffix("K") ? 1_000 : 1
        let digits = factor == 1 ? text : text.dropLast()
        guard (1...9).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(digits), number > 0
        else { return nil }
        return number * factor
    }

    /// How many base units one of what the word names is.
    private static func size(of word: Substring, for unit: Meter.Unit) -> Int64? { words(for: unit)[String(word)] }

    private static func words(for unit: Meter.Unit) -> [String: Int64] {
        switch unit {
        case .tokens: ["token": 1, "tokens": 1]
        case .images: ["image": 1, "images": 1, "picture": 1, "pictures": 1]
        case .milliseconds:
            [
                "millisecond": 1, "milliseconds": 1, "second": 1_000, "seconds": 1_000, "minute": 60_000,
                "minutes": 60_000, "hour": 3_600_000, "hours": 3_600_000,
            ]
        case .characters: ["character": 1, "characters": 1]
        case .searches: ["search": 1, "searches": 1, "query": 1, "queries": 1, "call": 1, "calls": 1]
        case .requests: ["request": 1, "requests": 1, "call": 1, "calls": 1]
        }
    }

    private static func malformed(_ text: String, _ meter: Meter) -> Mistake {
        let known = words(for: meter.unit).sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
        return Mistake(
            message:
                "\"\(text)\" is no price of \(meter.planKey): write a number for 1 000 000, or what it is for, as in "
                + "\"\(example(for: meter.unit))\"; known here: " + known.joined(separator: ", "))
    }

    private static func example(for unit: Meter.Unit) -> String {
        switch unit {
        case .tokens: "0.15 per 1M tokens"
        case .images: "0.04 per image"
        case .milliseconds: "0.36 per hour"
        case .characters: "15 per 1M characters"
        case .searches: "14 per 1000 searches"
        case .requests: "5 per 1000 requests"
        }
    }

    private static func notWhole(_ text: String, _ whole: Int128, _ units: Int128, _ rest: String) -> Mistake {
        let near = [whole, whole + 1].map { Money(picounits: $0 * units, currency: .usd).description }
        return Mistake(
            message: "\"\(text)\" is no whole number of 10⁻¹² for a single unit, so that sums would not be exact; "
                + "the nearest prices that are: \"\(near[0]) \(rest)\" and \"\(near[1]) \(rest)\"")
    }
}
