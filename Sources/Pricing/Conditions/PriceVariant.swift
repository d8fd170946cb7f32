/// Names of the conditions of price rows, and their words.
public enum PriceVariant {
    /// In words for invoices: `over 272000 input tokens`, `region us-*`, `peak`.
    public static func labels(of variant: String) -> [String] {
        variant.split(separator: "+").map { name in
            if let tokens = name.wholeTail(after: context) { return "over \(tokens) input tokens" }
            if let region = name.wholeTail(after: region) { return "region \(region)" }
            return name.wholeTail(after: time) ?? String(name)
        }
    }

    static let context = "context_above_"
    static let region = "region_"
    static let time = "time_"
}

extension Substring {
    fileprivate func wholeTail(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
