import Billing

extension Actor {
    /// Whoever does by hand what these tests ask for.
    static let clerk = Actor.operator("clerk", on: "desk-1")
}
