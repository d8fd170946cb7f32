internal import Identity

/// When a backend says that it may be asked again. Each vendor says it elsewhere and in its own form.
enum RetryHint {
    /// - Parameter now: real time. Where the head has a `date`, the backend's own clock is gone by instead.
    static func milliseconds(
        headers: some HeaderLookup, error: EngineErrorText, status: Int, now: Timestamp
    ) -> Int64? {
        for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
            if let value = headers.first(name), let hint = decimal(value, exponent: 0) { return hint }
        }
        if let value = headers.first("retry-after") {
            if let hint = decimal(value, exponent: 3) { return hint }
            if let date = HTTPDate.read(value, now: now) { return milliseconds(until: date, headers, now: now) }
        }
        return milliseconds(in: error) ?? (status == 429 ? reset(headers, now: now) : nil)
    }

    /// The time from the head's own date to an instant that it names; 0 for one that has passed.
    static func milliseconds(until date: Timestamp, _ headers: some HeaderLookup, now: Timestamp) -> Int64 {
        let said = headers.first("date").flatMap { HTTPDate.read($0, now: now) } ?? now
        return max(0, date.milliseconds - said.milliseconds)
    }

    /// The same of a header that holds an instant in RFC 3339's form; nil where it does not.
    static func milliseconds(untilInstantIn name: String, _ headers: some HeaderLookup, now: Timestamp) -> Int64? {
        headers.first(name).flatMap { Timestamp($0) }.map { milliseconds(until: $0, headers, now: now) }
    }

    /// What the error itself says: a delay of its own (Gemini), or words.
    static func milliseconds(in error: EngineErrorText) -> Int64? {
        error.retryMilliseconds ?? error.message.flatMap(delay(inWords:))
    }

    /// "Please try again in 11.19s", "in 1m2.5s", "Please retry after 7 seconds".
    static func delay(inWords message: String) -> Int64? {
        let text = message.lowercased()
        for phrase in ["try again in ", "retry after ", "retry in "] {
            guard let found = text.firstRange(of: phrase) else { continue }
            let words = text[found.upperBound...].split(separator: " ", maxSplits: 2)
            guard let first = words.first else { continue }
            let trimmed = first.hasSuffix(".") || first.hasSuffix(",") ? first.dropLast() : first
            if let delay = duration(String(trimmed)) { return delay }
            guard words.count > 1,
                let value = decimal(String(trimmed), exponent: 0) ?? decimal(String(trimmed), exponent: 3)
            else { continue }
            if words[1].hasPrefix("second") { return decimal(String(trimmed), exponent: 3) }
            if words[1].hasPrefix("minute") { return decimal(String(trimmed), exponent: 3).map { $0 &* 60 } }
            if words[1].hasPrefix("millisecond") { return value }
        }
        return nil
    }

    /// Go's form of a duration: `120ms`, `7.66s`, `2m59.56s`, `1h0m0s`. Nil for a number without a unit.
    static func duration(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        var total: Int64 = 0
        var index = 0
        guard !bytes.isEmpty else { return nil }
        while index < bytes.count {
            let start = index
            while index < bytes.count, bytes[index].decimalDigit != nil || bytes[index] == UInt8(ascii: ".") {
                index += 1
            }
            let number = start..<index
            let unitStart = index
            while index < bytes.count, bytes[index].decimalDigit == nil, bytes[index] != UInt8(ascii: ".") {
                index += 1
            }
            let unit = String(decoding: bytes[unitStart..<index], as: UTF8.self)
            guard let (exponent, factor) = units[unit],
                let value = bytes.withUnsafeBytes({ DecimalText.scaled($0, number, exponent: exponent) })
            else { return nil }
            let (product, overflows) = value.multipliedReportingOverflow(by: factor)
            guard !overflows, product <= EngineRefusal.retryMillisecondsMax * 365 else { return nil }
            total += product
            guard total <= EngineRefusal.retryMillisecondsMax * 365 else { return nil }
        }
        return total
    }

    private static let units: [String: (exponent: Int, factor: Int64)] = [
        "ns": (-6, 1), "us": (-3, 1), "µs": (-3, 1), "ms": (0, 1), "s": (3, 1), "m": (3, 60), "h": (3, 3600),
        "d": (3, 86_400),
    ]

    /// A plain number as milliseconds.
    private static func decimal(_ text: String, exponent: Int) -> Int64? {
        let bytes = Array(text.utf8.drop { $0 == 0x20 })
        return bytes.withUnsafeBytes { DecimalText.scaled($0, 0..<$0.count, exponent: exponent) }
    }

    /// Until the limit that is used up is full again, by Anthropic's headers or OpenAI's; the tokens' where none of
    /// OpenAI's is.
    private static func reset(_ headers: some HeaderLookup, now: Timestamp) -> Int64? {
        let resets = UpstreamQuota.anthropicLimits.compactMap { limit -> Int64? in
            guard headers.first("anthropic-ratelimit-\(limit)-remaining") == "0" else { return nil }
            return milliseconds(untilInstantIn: "anthropic-ratelimit-\(limit)-reset", headers, now: now)
        }
        if let longest = resets.max() { return longest }
        let requests = headers.first("x-ratelimit-reset-requests").flatMap(duration)
        let tokens = headers.first("x-ratelimit-reset-tokens").flatMap(duration)
        let isOutOfRequests = headers.first("x-ratelimit-remaining-requests") == "0"
        let isOutOfTokens = headers.first("x-ratelimit-remaining-tokens") == "0"
        switch (isOutOfRequests, isOutOfTokens) {
        case (true, true): return max(requests ?? 0, tokens ?? 0)
        case (true, false): return requests
        case (false, _): return tokens ?? requests
        }
    }
}
