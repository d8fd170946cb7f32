public import Identity

/// On which local day something is booked. A closed period takes nothing any more.
public struct BookingDays: Hashable, Sendable {
    /// The last day of the newest closed period; nil where none is closed.
    public let closedThrough: CivilDate?
    /// The local day on which it is booked, whatever it belongs to.
    public let today: CivilDate

    /// What is closed of an account's books, and its local day now.
    public init(closedThrough: CivilDate?, today: CivilDate) {
        self.closedThrough = closedThrough
        self.today = today
    }

    /// The day on which something is booked that belongs to `day`: that day as long as its period is open, else today.
    /// The first open day where even today is closed, which a clock that was put back can bring about.
    public func bookedOn(for day: CivilDate) -> CivilDate {
        guard let closedThrough, day <= closedThrough else { return day }
        return today > closedThrough ? today : CivilDate(daysSince1970: closedThrough.daysSince1970 + 1)
    }
}
