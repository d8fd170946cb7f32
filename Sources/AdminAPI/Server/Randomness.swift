import Accounts
import Identity

/// A fresh id of the moment.
func freshID<Kind>(at now: Timestamp, _ type: TypedID<Kind>.Type = TypedID<Kind>.self) -> TypedID<Kind> {
    var generator = SystemRandomNumberGenerator()
    return TypedID(
        UUIDv7(milliseconds: now.milliseconds, randomness: (generator.next(), generator.next())))
}

/// A fresh secret from the system's randomness.
func freshSecret(_ purpose: Secret.Purpose) -> Secret {
    var generator = SystemRandomNumberGenerator()
    return Secret(
        purpose: purpose, randomness: (generator.next(), generator.next(), generator.next(), generator.next()))
}
