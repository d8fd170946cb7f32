import Accounts
import Identity

/// The system's randomness, for what nobody may guess and what nobody else may be called.
enum Randomness {
    static func id<Kind>(
        at now: Timestamp, _ type: TypedID<Kind>.Type = TypedID<Kind>.self
    ) -> TypedID<Kind> {
        var generator = SystemRandomNumberGenerator()
        return TypedID(
            UUIDv7(milliseconds: now.milliseconds, randomness: (generator.next(), generator.next())))
    }

    static func secret(_ purpose: Secret.Purpose) -> Secret {
        var generator = SystemRandomNumberGenerator()
        return Secret(
            purpose: purpose, randomness: (generator.next(), generator.next(), generator.next(), generator.next()))
    }
}
