import FoundationEssentials

/// Instants as text (RFC 3339), UTC.
enum RFC3339 {
    /// Such as `2026-11-25T10:11:12Z`.
    static func text(milliseconds: Int) -> String {
        Date(timeIntervalSince1970: TimeInterval(milliseconds / 1000)).formatted(.iso8601)
    }
}
