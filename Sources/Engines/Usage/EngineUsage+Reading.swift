internal import Metering

extension EngineUsage {
    /// Reads a usage object by the names of a dialect; the scanner stands before its brace. `raw` stays empty: the
    /// caller knows where the object stood.
    init(
        scanner: inout JSONScanner, bytes: UnsafeRawBufferPointer, names: UsageNames = .openAI
    ) throws(JSONScanError) {
        var draft = UsageDraft(names)
        try draft.readObject(&scanner, bytes)
        self = draft.settled()
    }

    /// A usage object that stands by itself; nil when it cannot be read.
    init?(object value: UnsafeRawBufferPointer, names: UsageNames = .openAI) {
        do throws(JSONScanError) {
            var scanner = JSONScanner(value)
            guard try scanner.kind() == .object else { return nil }
            try self.init(scanner: &scanner, bytes: value, names: names)
            keepRaw(value, 0..<value.count)
        } catch {
            return nil
        }
    }

    /// What the head of an answer counts; nil where it counts nothing.
    init?(headers: some HeaderLookup) {
        var draft = UsageDraft(.openAI)
        var isFound = false
        for (name, count) in UsageNames.headers {
            guard let value = NativeValue.integer(headers.first(name)) else { continue }
            draft.take(count, value)
            isFound = true
        }
        guard isFound else { return nil }
        self = draft.settled()
    }
}
