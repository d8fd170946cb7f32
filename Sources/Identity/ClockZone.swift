import Foundation

/// The clock of an IANA time zone.
public struct ClockZone: Hashable, Sendable {
    /// The IANA name, such as `Europe/Berlin`.
    public let name: String
    private let zone: TimeZone

    /// Nil for what the zone database does not have, and for abbreviations (`CEST`) and offsets: they have no history.
    public init?(_ name: String) {
        guard name == "UTC" || name.contains("/"), let zone = TimeZone(identifier: name) else { return nil }
        self.name = name
        self.zone = zone
    }

    /// How far the clock is ahead of UTC.
    public func offsetMilliseconds(at instant: Timestamp) -> Int64 {
        let seconds = instant.milliseconds.floorDivided(by: 1_000)
        return Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds)))) * 1_000
    }
}
